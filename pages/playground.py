from pages.ui.lesson import show

show("playground")
