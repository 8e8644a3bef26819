//! The mesh as a picture: this platform in the middle, half of the nodes on an arc at its left, half at its right.
//!
//! Across, places are shares of the width; down, they are pixels. So the picture fills a wide screen and a phone alike,
//! its letters keep their size, and no label lies on another.

use std::collections::BTreeMap;

use desk::{MeshNode, MeshPathKind};
use mesh::NodeId;

use super::{Called, over};
use crate::words;

/// The most nodes that are drawn.
pub(super) const MAX_DRAWN: usize = 40;
/// How far the arcs bow out from the middle, in percent of the width: labels have the rest.
const BOW: f64 = 20.0;
/// The least and the most pixels from one node of an arc to the next: two lines of letters, or some air.
const ROW: (u16, u16) = (38, 80);
/// The height that few nodes share, in pixels.
const FEW: u16 = 240;
/// The most letters of a name where there is room, and where there is not.
const LETTERS: (usize, usize) = (26, 12);

/// What is drawn.
#[derive(Default)]
pub(super) struct Picture {
    /// In pixels.
    pub(super) height: u16,
    /// Where the platform is, in pixels from the top.
    pub(super) middle: u16,
    pub(super) dots: Vec<Dot>,
    pub(super) lines: Vec<Line>,
    /// How many there are of each kind of way, drawn or not.
    pub(super) key: Vec<Key>,
    /// How many nodes there are.
    pub(super) all: usize,
    /// How many can be reached.
    pub(super) reachable: usize,
}

/// A node.
pub(super) struct Dot {
    /// In percent from the left.
    pub(super) x: String,
    /// In pixels from the top.
    pub(super) y: u16,
    /// On which side its label is.
    pub(super) side: &'static str,
    pub(super) look: &'static str,
    pub(super) name: String,
    pub(super) long: String,
    pub(super) short: String,
    pub(super) detail: String,
}

impl Dot {
    /// Where the label begins, in pixels from the node.
    pub(super) fn label(&self) -> i8 {
        if self.side == "left" { -14 } else { 14 }
    }
}

/// A link, from the platform or from the node that lies on the way.
pub(super) struct Line {
    pub(super) from: (String, u16),
    pub(super) to: (String, u16),
    pub(super) look: &'static str,
}

/// A line of the key: how a kind of way is drawn, what it means, how many nodes it leads to.
pub(super) struct Key {
    pub(super) look: &'static str,
    pub(super) words: &'static str,
    pub(super) count: usize,
}

const KINDS: [(MeshPathKind, &str); 4] = [
    (MeshPathKind::Direct, "direct"),
    (MeshPathKind::Relayed, "through a relay"),
    (MeshPathKind::Routed, "over other nodes"),
    (MeshPathKind::None, "not reached"),
];

impl Picture {
    pub(super) fn of(nodes: &[&MeshNode], called: &Called) -> Self {
        let key = KINDS.map(|(kind, words)| Key {
            look: look(kind),
            words,
            count: nodes.iter().filter(|node| node.path.kind == kind).count(),
        });
        let drawn = drawn(nodes);
        let (left, right) = drawn.split_at(drawn.len() / 2);
        let most = u16::try_from(right.len()).unwrap_or(u16::MAX).max(1);
        let row = (FEW / most).clamp(ROW.0, ROW.1);
        let height = most.saturating_mul(row).saturating_add(ROW.0);
        let arc = |side: &'static str, nodes: &[&MeshNode]| -> Vec<Dot> {
            let heights = down(nodes.len(), row, height / 2);
            nodes.iter().zip(heights).map(|(node, y)| dot(node, side, y, height, called)).collect()
        };
        let mut dots = arc("left", left);
        dots.extend(arc("right", right));
        Self {
            lines: lines(&drawn, &dots, height / 2),
            height,
            middle: height / 2,
            dots,
            key: key.into(),
            all: nodes.len(),
            reachable: nodes.iter().filter(|node| node.reachable).count(),
        }
    }

    /// How many there are that are not drawn.
    pub(super) fn left_out(&self) -> usize {
        self.all - self.dots.len()
    }
}

/// The nodes that are drawn, by name: where there are too many, those in trouble.
fn drawn<'n>(nodes: &[&'n MeshNode]) -> Vec<&'n MeshNode> {
    let mut drawn = nodes.to_vec();
    let trouble = |node: &MeshNode| KINDS.iter().position(|(kind, _)| *kind == node.path.kind);
    drawn.sort_by(|a, b| trouble(b).cmp(&trouble(a)).then_with(|| a.name.cmp(&b.name)));
    drawn.truncate(MAX_DRAWN);
    drawn.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.node.cmp(&b.node)));
    drawn
}

/// The heights of `count` places, evenly about the middle.
fn down(count: usize, row: u16, middle: u16) -> impl Iterator<Item = u16> {
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    let first = middle.saturating_sub(count.saturating_sub(1).saturating_mul(row) / 2);
    (0..count).map(move |at| first.saturating_add(at.saturating_mul(row)))
}

fn dot(node: &MeshNode, side: &'static str, y: u16, height: u16, called: &Called) -> Dot {
    // The unit circle, stretched: how far out depends on how far up or down.
    let up = (2.0 * f64::from(y) - f64::from(height)) / f64::from(height);
    let out = BOW * (1.0 - up * up).max(0.0).sqrt();
    Dot {
        x: format!("{:.2}%", if side == "left" { 50.0 - out } else { 50.0 + out }),
        y,
        side,
        look: look(node.path.kind),
        long: cut(&node.name, LETTERS.0),
        short: cut(&node.name, LETTERS.1),
        detail: detail(node),
        name: format!("{}: {}", node.name, super::path(node, called)),
    }
}

fn lines(drawn: &[&MeshNode], dots: &[Dot], middle: u16) -> Vec<Line> {
    let places: BTreeMap<NodeId, &Dot> = drawn.iter().map(|node| node.node).zip(dots).collect();
    let place = |dot: &Dot| (dot.x.clone(), dot.y);
    let line = |(node, dot): (&&MeshNode, &Dot)| {
        let next = node.path.next_hop.filter(|next| *next != node.node).and_then(|next| places.get(&next));
        let from = match node.path.kind {
            MeshPathKind::None => return None,
            MeshPathKind::Routed => next.map(|next| place(next)),
            MeshPathKind::Direct | MeshPathKind::Relayed => None,
        };
        let from = from.unwrap_or_else(|| ("50%".to_owned(), middle));
        Some(Line { from, to: place(dot), look: look(node.path.kind) })
    };
    drawn.iter().zip(dots).filter_map(line).collect()
}

fn look(kind: MeshPathKind) -> &'static str {
    match kind {
        MeshPathKind::Direct => "direct",
        MeshPathKind::Relayed => "relayed",
        MeshPathKind::Routed => "routed",
        MeshPathKind::None => "none",
    }
}

/// The second line of a label.
fn detail(node: &MeshNode) -> String {
    let round_trip = node.path.rtt_micros.map(words::round_trip);
    match (node.path.kind, round_trip) {
        (MeshPathKind::Direct, Some(time)) => time,
        (MeshPathKind::Direct, None) => "direct".to_owned(),
        (MeshPathKind::Relayed, Some(time)) => format!("relay, {time}"),
        (MeshPathKind::Relayed, None) => "relay".to_owned(),
        (MeshPathKind::Routed, _) => over(node).replace(" other node", " other"),
        (MeshPathKind::None, _) => "not reached".to_owned(),
    }
}

/// A name with at most so many letters.
fn cut(name: &str, letters: usize) -> String {
    if name.chars().count() <= letters {
        return name.to_owned();
    }
    let kept: String = name.chars().take(letters - 1).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arc_is_even_about_the_middle() {
        assert_eq!(down(3, 80, 140).collect::<Vec<_>>(), [60, 140, 220]);
        assert_eq!(down(2, 80, 140).collect::<Vec<_>>(), [100, 180]);
        assert_eq!(down(0, 80, 140).count(), 0);
    }

    #[test]
    fn a_long_name_is_cut_between_letters() {
        assert_eq!(cut("kässe-im-laden", 14), "kässe-im-laden");
        assert_eq!(cut("kässe im laden", 7), "kässe…");
        assert_eq!(cut("日本語日本語", 3), "日本…");
    }
}
