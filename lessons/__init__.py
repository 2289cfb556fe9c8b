"""What is taught. Never streamlit."""
