from pages.ui import lesson

lesson.show("initialisation")
