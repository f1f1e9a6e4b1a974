"""A file that is open for reading, and knows what its manifest says about the record that comes next."""

import io

from .manifest import Record, checksum


class CheckedFile(io.BufferedReader):
    """A file that is open for reading; `record` is what is known about the record at the current position."""

    record: Record | None = None

    def check(self, record: Record) -> None:
        """Compare the record at the current position with its checksum; the position stays.

        **Raises**

        - `ValueError`: if it is not what was written.
        """
        start = self.tell()
        if checksum(self, record.size) != record.crc32:
            raise ValueError("the file is damaged: these are not the bytes that were written.")
        self.seek(start)
        self.record = record
