#!/usr/bin/env python3
"""Makes the sample files beside this one, with programs that Echo did not write.

    python3 -m venv venv && venv/bin/pip install reportlab==5.1.0 libzim==3.13.1 && venv/bin/python make_samples.py
"""

from pathlib import Path

from libzim.writer import Compression, Creator, Hint, Item, StringProvider
from reportlab.lib.pagesizes import A5
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen import canvas

HERE = Path(__file__).parent
PAGES = [
    ["Printer Manual", "", "Press the yellow button twice to", "wake the quillprinter. The tray is be-", "hind the left door."],
    ["Cartridges", "", "Cartridge number 4711 fits. Größe: 12 mm."],
    [],
]


def pdf(name: str, encrypt=None) -> None:
    sheet = canvas.Canvas(str(HERE / name), pagesize=A5, invariant=1, pageCompression=1, encrypt=encrypt)
    for lines in PAGES:
        for at, line in enumerate(lines):
            sheet.drawString(40, 540 - 18 * at, line)
        if not lines:
            sheet.rect(40, 40, 200, 200, fill=1)
        sheet.showPage()
    sheet.save()


class Page(Item):
    def __init__(self, path: str, title: str, html: str, mime: str = "text/html") -> None:
        super().__init__()
        self.path, self.title, self.html, self.mime = path, title, html, mime

    def get_path(self) -> str:
        return self.path

    def get_title(self) -> str:
        return self.title

    def get_mimetype(self) -> str:
        return self.mime

    def get_contentprovider(self) -> StringProvider:
        return StringProvider(self.html)

    def get_hints(self) -> dict:
        return {Hint.FRONT_ARTICLE: self.mime == "text/html"}


def zim(name: str, compression: Compression) -> None:
    path = HERE / name
    path.unlink(missing_ok=True)
    with Creator(path).config_indexing(False, "eng").config_compression(compression) as creator:
        creator.set_mainpath("Router")
        for what, said in {
            "Name": "echo_sample", "Title": "House wiki", "Creator": "The house", "Publisher": "The house",
            "Date": "2026-11-24", "Language": "eng", "Description": "What we know", "License": "CC0-1.0",
        }.items():
            creator.add_metadata(what, said)
        creator.add_item(Page("Router", "The router", "<html><head><title>The router</title></head><body><h1>The router</h1>"
                              "<p>Hold <b>reset</b> for ten seconds until the quandle blinks.</p><script>x()</script></body></html>"))
        creator.add_item(Page("Printer", "The printer", "<h1>The printer</h1><h2>Paper</h2><p>Load A5 paper, face down.</p>"))
        creator.add_item(Page("style.css", "", "p { color: red }", "text/css"))
        creator.add_redirection("Modem", "The modem", "Router", {})


if __name__ == "__main__":
    pdf("manual.pdf")
    pdf("locked.pdf", StandardEncryption("open sesame", ownerPassword="mine"))
    zim("wiki.zim", Compression.zstd)
    zim("plain.zim", Compression.none)
