from pages.ui import lesson

lesson.show("cifar10")
