"""The artifact types that are Adlens' own."""

from tfx.types.artifact import Artifact


class Rejects(Artifact):
    """Rows that could not be used, with their reasons (Parquet), and all counts (`counts.json`)."""

    TYPE_NAME = "AdlensRejects"


class ItemStats(Artifact):
    """Impressions, clicks and frequency group of each item in the training days (Parquet)."""

    TYPE_NAME = "AdlensItemStats"


class UserHistory(Artifact):
    """Each user's last clicks and purchases before the end of a day's training (Parquet)."""

    TYPE_NAME = "AdlensUserHistory"


class Catalog(Artifact):
    """The items that can be used (Parquet)."""

    TYPE_NAME = "AdlensCatalog"


class QueryPairs(Artifact):
    """<query, positive, hard negative> by split (Parquet)."""

    TYPE_NAME = "AdlensQueryPairs"


class Report(Artifact):
    """`report.html`, `summary.json`, and `inputs.json`: where the artifacts lie that they were made from."""

    TYPE_NAME = "AdlensReport"


class Embeddings(Artifact):
    """Vectors of the catalog's items by modality (Parquet), rejects, and counts (`counts.json`)."""

    TYPE_NAME = "AdlensEmbeddings"


class Make(Artifact):
    """The weights of a knowledge extractor that was trained by itself (`make.npz`)."""

    TYPE_NAME = "AdlensMake"


class Inspection(Artifact):
    """A few test impressions with what their predictions rest on, and small pictures (`inspection.json`)."""

    TYPE_NAME = "AdlensInspection"


class RecallVectors(Artifact):
    """A recall model's vectors of all items, and of the users of held-out clicks (Parquet)."""

    TYPE_NAME = "AdlensRecallVectors"


class Release(Artifact):
    """Which release a run made, or why it made none (`result.json`)."""

    TYPE_NAME = "AdlensRelease"
