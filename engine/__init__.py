"""How runs are computed, shared and recorded. Imports neither Streamlit nor plotly, lessons or pages."""
