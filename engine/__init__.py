"""How it is computed. Never streamlit, plotly, lessons or pages."""
