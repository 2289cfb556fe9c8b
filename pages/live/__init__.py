"""The live server: one websocket a page, files and specs under /live. Never Streamlit."""
