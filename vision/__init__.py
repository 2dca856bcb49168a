"""Page images to patch tokens: what recognition saw in the pixels, in the backbone's embedding space.

`ingest` finds the lines of a page image, cuts them into patches and says of every glyph what it may be
(`ingest.glyphs`). `Projector` makes patch tokens of it: each a mixture of the backbone's token embeddings, so that
what recognition was not sure of reaches the model as it is, and each with the characters, and so the box, it covers.
"""

from vision.projector import Mixture, Projector, Seen
from vision.vocabulary import Vocabulary

__all__ = ["Mixture", "Projector", "Seen", "Vocabulary"]
