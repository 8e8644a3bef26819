//! Writes pages and ZIM files into `corpus/library`, for libFuzzer to begin with: good ones of each kind, and near misses.

use std::{error::Error, path::Path};

use durable::Mode;

/// A ZIM file with one cluster (openZIM, "ZIM file format"): namespace, content type, path, title and content.
fn zim(entries: &[(u8, &str, &str, &str, &str)], cluster: Option<&[u8]>) -> Vec<u8> {
    let mut out = vec![0; 80];
    let mimes_at = out.len();
    for entry in entries {
        out.extend([entry.1.as_bytes(), b"\0"].concat());
    }
    out.push(0);
    let mut pointers = Vec::new();
    for (number, (namespace, _, path, title, _)) in (0_u32..).zip(entries) {
        pointers.push(out.len() as u64);
        out.extend([number.to_le_bytes()[0], 0, 0, *namespace, 0, 0, 0, 0, 0, 0, 0, 0]);
        out.extend(number.to_le_bytes());
        out.extend([path.as_bytes(), b"\0", title.as_bytes(), b"\0"].concat());
    }
    let paths_at = out.len();
    for at in pointers {
        out.extend(at.to_le_bytes());
    }
    let cluster_at = out.len() as u64;
    match cluster {
        Some(cluster) => out.extend(cluster),
        None => out.extend([&[1], &blobs(entries)[..]].concat()),
    }
    let list_at = out.len();
    out.extend(cluster_at.to_le_bytes());
    let checksum_at = out.len();
    out.extend([0; 16]);
    out[..8].copy_from_slice(b"ZIM\x04\x06\0\x01\0");
    out[24] = u8::try_from(entries.len()).unwrap_or(1);
    out[28] = 1;
    for (at, value) in [(32, paths_at), (48, list_at), (56, mimes_at), (72, checksum_at)] {
        out[at..at + 8].copy_from_slice(&(value as u64).to_le_bytes());
    }
    out
}

/// The blobs with their list, as a cluster holds them.
fn blobs(entries: &[(u8, &str, &str, &str, &str)]) -> Vec<u8> {
    let mut place = u32::try_from((entries.len() + 1) * 4).unwrap_or(0);
    let mut out = place.to_le_bytes().to_vec();
    for entry in entries {
        place += u32::try_from(entry.4.len()).unwrap_or(0);
        out.extend(place.to_le_bytes());
    }
    for entry in entries {
        out.extend(entry.4.as_bytes());
    }
    out
}

fn main() -> Result<(), Box<dyn Error>> {
    let wiki = [
        (b'C', "text/html", "Router", "The router", "<h1>Router</h1><p>Press reset."),
        (b'A', "text/plain", "Notes", "", "Load paper."),
        (b'M', "text/plain", "Title", "", "House wiki"),
    ];
    let blobs = blobs(&wiki);
    // One raw block (RFC 8878, section 3.1.1.2), and one run of zero bytes.
    let size = u32::try_from(blobs.len())?;
    let raw =
        [&[5, 0x28, 0xB5, 0x2F, 0xFD, 0, 0x58][..], &(size << 3 | 1).to_le_bytes()[..3], &blobs].concat();
    let run = [5, 0x28, 0xB5, 0x2F, 0xFD, 0, 0x58, 0x03, 0x00, 0x10, 0];
    let page = "<!doctype html><title>T</title><h1>A</h1><p hidden>x<p>b<ul><li>c</ul><table><tr><td>d<td>e</table><pre>f\n# g</pre>";
    let seeds: [(&str, Vec<u8>); 10] = [
        ("plain.zim", zim(&wiki, None)),
        ("zstd.zim", zim(&wiki, Some(&raw))),
        ("run.zim", zim(&wiki, Some(&run))),
        ("wide.zim", zim(&wiki, Some(&[0x11, 16, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0]))),
        ("xz.zim", zim(&wiki, Some(b"\x04\xfd7zXZ\0\0\x04"))),
        ("cut.zim", zim(&wiki, None)[..120].to_vec()),
        ("page.html", page.as_bytes().to_vec()),
        ("script.html", b"<script><!--<script></script>--></script>a<svg><title>b</svg>".to_vec()),
        (
            "utf16.html",
            [&[0xFF, 0xFE][..], &"<p>ä".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()]
                .concat(),
        ),
        ("text.md", "# A\n\n## B ##\n\n~~~\n# c\n".as_bytes().to_vec()),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/library");
    durable::create_folder(&folder)?;
    for (name, bytes) in seeds {
        durable::write(&folder.join(name), &bytes, Mode::Public)?;
    }
    Ok(())
}
