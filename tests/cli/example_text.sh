try example text reviews.keras
try example text
