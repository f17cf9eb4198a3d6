"""Write the files of vectors anew: `python -m tests.vectors`."""

from __future__ import annotations

from tests.vectors.files import FOLDER, files

if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"{FOLDER / name}: {len(text.encode())} bytes")
