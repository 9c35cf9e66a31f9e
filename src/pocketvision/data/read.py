"""One word or path from the user becomes a Dataset."""

from pathlib import Path

from pocketvision.data.dataset import Dataset
from pocketvision.data.folders import read_folder
from pocketvision.data.idx import is_idx_folder, read_idx_folder
from pocketvision.data.named import NAMED, read_named
from pocketvision.data.table import read_table
from pocketvision.errors import BadData, UnknownData, nearest

TABLE_SUFFIXES = (".csv", ".tsv")


def read_dataset(where: str | Path) -> Dataset:
    """Read a data set from a path, or by its name where no such path exists.

    Args:
        where: a folder of class folders, a folder of IDX files, a .csv or .tsv file, or one of `NAMED`.

    Raises:
        UnknownData: neither a path nor a known name.
        BadData: a file of another kind, or a data set that cannot be used; see the readers.
    """
    path = Path(where)
    if path.is_dir():
        return read_idx_folder(path) if is_idx_folder(path) else read_folder(path)
    if path.exists():
        if path.suffix.lower() not in TABLE_SUFFIXES:
            raise BadData(
                f"'{where}' is neither a folder nor a table; "
                "a folder of class folders, a folder of IDX files, or a .csv with the columns path and label is right.",
                "unpack it where it is an archive, and give the folder",
            )
        return read_table(path)
    if str(where) in NAMED:
        return read_named(str(where))
    known = sorted(NAMED)
    raise UnknownData(
        f"no file or folder '{where}', and no data set of that name. Known: {', '.join(known)}.",
        nearest(str(where), known),
    )
