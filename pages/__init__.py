"""Everything that draws. May import streamlit, lessons and the light half of engine; never torch."""
