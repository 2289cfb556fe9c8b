"""One colour language everywhere, readable on light and dark and by the colour-blind (after Okabe and Ito, 2008)."""

TRAIN = "#2f86d6"
VALIDATION = "#e07b16"
POSITIVE = "#2f86d6"
NEGATIVE = "#e07b16"
CATEGORIES = (
    *("#2f86d6", "#e07b16", "#1a9e77", "#c8549b", "#8f6fd1"),
    *("#b8860b", "#d1495b", "#4aa8c9", "#7a7a7a", "#5f9e3a"),
)
GREY = "#8a8f98"  # what is there for comparison
WHITE = "#ffffff"  # the edge of a dot
