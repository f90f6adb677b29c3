"""What the recall model's signatures and their outputs are called; who only asks it imports no more than this."""

USER_VECTOR, ITEM_VECTOR, SCORE = "user_vector", "item_vector", "score"
ITEM_VECTORS, REORDER = "item_vectors", "reorder"
