//! Which crate stands on which floor, and what it may stand on.
//!
//! A new crate goes into [`LAYERS`]; nothing else in this file needs to change.

use crate::report::Report;
use serde::Deserialize;

/// The floors from the ground up. A crate may use crates of lower floors only, in tests too.
///
/// A storey of the design takes several floors where one of its crates stands on the others: everything that
/// writes stands on `durable`, and `device_link`, `dossier` and `desk` put the domain together.
pub const LAYERS: [Layer; 16] = [
    Layer { name: "base", side: Side::Inside, crates: &["echo_core"] },
    Layer { name: "ground (files)", side: Side::Inside, crates: &["durable"] },
    Layer {
        name: "ground",
        side: Side::Inside,
        crates: &["store", "ledger", "vault", "trust", "models", "memory", "hygiene", "triage_model"],
    },
    Layer { name: "ground (witness)", side: Side::Inside, crates: &["witness"] },
    Layer {
        name: "domain",
        side: Side::Inside,
        crates: &[
            "access",
            "agents",
            "backup",
            "bundle",
            "governance",
            "library",
            "observability",
            "playbooks",
            "revenue",
            "scheduler",
            "security",
        ],
    },
    Layer { name: "domain (device link)", side: Side::Inside, crates: &["device_link"] },
    Layer { name: "domain (evals)", side: Side::Inside, crates: &["evals"] },
    Layer { name: "domain (mesh)", side: Side::Inside, crates: &["mesh"] },
    Layer { name: "domain (dossier)", side: Side::Inside, crates: &["dossier"] },
    Layer { name: "domain (desk)", side: Side::Inside, crates: &["desk"] },
    Layer { name: "edge (mesh)", side: Side::Edge, crates: &["mesh_link"] },
    Layer { name: "edge (mesh daemon)", side: Side::Edge, crates: &["mesh_daemon"] },
    Layer {
        name: "faces",
        side: Side::Edge,
        crates: &["control_plane", "dashboard", "mcp", "a2a", "model_api", "pulsenet_gateway"],
    },
    Layer { name: "apps", side: Side::Edge, crates: &["echo_os_prime", "echo_cli", "echo_probe"] },
    Layer { name: "checks", side: Side::Inside, crates: &["fuzz", "mesh_sim"] },
    Layer { name: "tools", side: Side::Alone, crates: &["xtask"] },
];

/// Libraries of the edge: HTTP and the command line. Nothing below the faces may name them.
const EDGE_LIBRARIES: [&str; 8] = ["axum", "clap", "http", "hyper", "reqwest", "tower", "tower-http", "ureq"];

/// The crates that may use SQL, and the library they use.
const SQL: ([&str; 2], &str) = (["store", "memory"], "sqlx");

/// One floor of the house.
pub struct Layer {
    /// What the floor is called in messages.
    pub name: &'static str,
    /// Whether its crates may speak HTTP or parse a command line.
    pub side: Side,
    /// The crates that stand on it.
    pub crates: &'static [&'static str],
}

/// Where a floor lies as seen from the world.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Knows no HTTP and no command line.
    Inside,
    /// Meets the world.
    Edge,
    /// Uses no crate of ours and is used by none.
    Alone,
}

/// The part of `cargo metadata --format-version 1 --no-deps` that we read.
#[derive(Deserialize)]
pub struct Metadata {
    /// The workspace's own packages.
    pub packages: Vec<Package>,
}

/// One package of the workspace.
#[derive(Deserialize)]
pub struct Package {
    /// The crate's name.
    pub name: String,
    /// What it asks for, of every kind (normal, dev, build).
    pub dependencies: Vec<Dependency>,
}

/// One line of a `[dependencies]` table.
#[derive(Deserialize)]
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// Its folder, when it is ours.
    pub path: Option<String>,
}

/// Checks every package against [`LAYERS`].
pub fn check(metadata: &Metadata, report: &mut Report) {
    for package in &metadata.packages {
        match floor(&package.name) {
            Some(height) => check_package(package, height, report),
            None => report.error(
                &package.name,
                "stands on no floor: add it to LAYERS in xtask/src/layers.rs, on the lowest floor that holds it",
            ),
        }
    }
}

fn check_package(package: &Package, height: usize, report: &mut Report) {
    let layer = &LAYERS[height];
    for dependency in &package.dependencies {
        let used = dependency.name.as_str();
        if dependency.path.is_some() {
            check_arrow(package, height, used, report);
        } else if used == SQL.1 && !SQL.0.contains(&package.name.as_str()) {
            report.error(
                &package.name,
                format!(
                    "uses {used}, which only {} may: ask them for the query, or add one there",
                    SQL.0.join(" and ")
                ),
            );
        } else if layer.side == Side::Inside && EDGE_LIBRARIES.contains(&used) {
            report.error(
                &package.name,
                format!(
                    "stands in {} and uses {used}: HTTP and command lines belong in the faces and apps",
                    layer.name
                ),
            );
        }
    }
}

fn check_arrow(package: &Package, height: usize, used: &str, report: &mut Report) {
    // A package on no floor is reported once, where it is declared.
    let Some(below) = floor(used) else { return };
    let (from, to) = (&LAYERS[height], &LAYERS[below]);
    if below >= height || from.side == Side::Alone || to.side == Side::Alone {
        report.error(
            &package.name,
            format!("stands in {} and uses {used} in {}: arrows point down only", from.name, to.name),
        );
    }
}

fn floor(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.crates.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(name: &str, ours: &[&str], theirs: &[&str]) -> Vec<String> {
        let line = |name: &&str, path: Option<&str>| Dependency {
            name: (*name).to_owned(),
            path: path.map(str::to_owned),
        };
        let dependencies = ours
            .iter()
            .map(|name| line(name, Some("crates/x")))
            .chain(theirs.iter().map(|name| line(name, None)))
            .collect();
        let mut report = Report::new("tidy");
        check(&Metadata { packages: vec![Package { name: name.to_owned(), dependencies }] }, &mut report);
        report.errors
    }

    #[test]
    fn an_arrow_down_is_fine() {
        assert!(errors("ledger", &["durable", "echo_core"], &["serde"]).is_empty());
        assert!(errors("desk", &["security", "revenue", "store"], &["tokio"]).is_empty());
        assert!(errors("echo_cli", &["trust", "revenue"], &["clap", "ureq"]).is_empty());
    }

    #[test]
    fn an_arrow_up_is_refused() {
        let found = errors("trust", &["desk"], &[]);
        assert_eq!(found, ["trust: stands in ground and uses desk in domain (desk): arrows point down only"]);
    }

    #[test]
    fn an_arrow_to_a_neighbour_is_refused() {
        assert_eq!(errors("security", &["agents"], &[]).len(), 1);
        assert_eq!(errors("echo_cli", &["echo_probe"], &[]).len(), 1);
    }

    #[test]
    fn the_tools_stand_alone() {
        assert_eq!(errors("xtask", &["echo_core"], &[]).len(), 1);
        assert_eq!(errors("echo_cli", &["xtask"], &[]).len(), 1);
    }

    #[test]
    fn an_unknown_crate_is_told_where_to_go() {
        let found = errors("newcomer", &[], &[]);
        assert!(found[0].contains("xtask/src/layers.rs"), "{found:?}");
    }

    #[test]
    fn http_inside_the_domain_is_refused() {
        assert_eq!(errors("revenue", &[], &["ureq"]).len(), 1);
        assert_eq!(errors("desk", &[], &["axum", "clap"]).len(), 2);
        assert!(errors("control_plane", &[], &["axum", "http"]).is_empty());
    }

    #[test]
    fn only_the_store_speaks_sql() {
        assert!(errors("store", &[], &["sqlx"]).is_empty());
        for name in ["ledger", "desk", "control_plane", "echo_os_prime"] {
            assert_eq!(errors(name, &[], &["sqlx"]).len(), 1, "{name}");
        }
    }
}
