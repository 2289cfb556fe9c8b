from pages.ui import lesson

lesson.show("attention_learned")
