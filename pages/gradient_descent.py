from pages.ui import lesson

lesson.show("gradient_descent")
