"""Documents in, counts out: reading corpora of any size, alone or on a data engine.

`read_documents` reads text, JSON lines and Parquet, compressed or not, in bounded memory.
`count_batches` turns Arrow record batches with a text column into batches of (pretoken, count); it is a
pure function, so any engine can run it. The modules `ray` and `spark` do so on those two, and
`counts_arrow` keeps counts as Arrow tables and Parquet files.

Nothing here imports pyarrow, Ray or Spark before it is called:

>>> from bpetok.pipelines import read_documents
"""

from bpetok.pipelines.counting import count_batches
from bpetok.pipelines.documents import read_documents

__all__ = ["count_batches", "read_documents"]
