//! `model`: the models on the shelf of a home, or of any folder. No platform and no network.

mod add;
mod bench;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use models::{Card, ModelError, Shelf};
use serde_json::{Value, json};

use crate::{Failure, out, out::Out, place};

/// Where the shelf is, and what to do with it.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder with the models; when not said, `folder` of `[models]` in the home's echo.toml, or `models` in the home
    #[arg(long, global = true, value_name = "DIR")]
    models: Option<PathBuf>,
    #[command(subcommand)]
    command: Model,
}

/// What to do with models.
#[derive(Debug, Subcommand)]
enum Model {
    /// List the models, the one that answers first at the top
    List,
    /// Put a GGUF file on the shelf: its header is checked, the model tried, the file copied
    Add(add::Arguments),
    /// Read every file again and compare it with its card
    Verify,
    /// Take a model and its file off the shelf
    Remove {
        /// Its name
        name: String,
    },
    /// Measure the models on this machine: tokens and sentences a second
    Bench(bench::Arguments),
    /// Load a file and ask it one thing; `add` does it in a process of its own
    #[command(hide = true)]
    Try {
        /// The file
        file: PathBuf,
    },
}

/// The platform's settings, in its home.
const SETTINGS: &str = "echo.toml";
/// The most bytes of them.
const MAX_SETTINGS: u64 = 64 * 1024;
/// The folder below the home, where they name no other.
const FOLDER: &str = "models";

/// What is shown of a model.
const SHOWN: [(&str, &str); 7] = [
    ("name", "/name"),
    ("kind", "/kind"),
    ("architecture", "/architecture"),
    ("MiB", "/mib"),
    ("context", "/context"),
    ("licence", "/licence"),
    ("sha256", "/sha256"),
];

impl Arguments {
    /// Does it.
    pub fn run(&self, home: Option<PathBuf>, out: Out) -> Result<(), Failure> {
        let folder = || match &self.models {
            Some(folder) => Ok(folder.clone()),
            None => shelf_of(&place::platform(home)?),
        };
        match &self.command {
            Model::List => {
                let place = Shelf::open(&folder()?)?;
                out.list(&place.cards().iter().map(shown).collect::<Vec<_>>(), &SHOWN)
            }
            Model::Add(arguments) => add::run(arguments, &folder()?, out),
            Model::Verify => verify(&Shelf::open(&folder()?)?, out),
            Model::Remove { name } => out.one(&shown(&Shelf::open(&folder()?)?.remove(name)?), &SHOWN),
            Model::Bench(arguments) => bench::run(arguments, folder()?, out),
            Model::Try { file } => {
                if models::trial(file)? {
                    Ok(())
                } else {
                    Err(ModelError::NoEngine.into())
                }
            }
        }
    }
}

/// The folder that the platform of this home takes its models from.
fn shelf_of(home: &Path) -> Result<PathBuf, Failure> {
    let path = home.join(SETTINGS);
    let Some(bytes) = durable::read(&path, MAX_SETTINGS)? else { return Ok(home.join(FOLDER)) };
    let bad = |error: &dyn std::fmt::Display| Failure::failed(format!("{}: {error}", path.display()));
    let all =
        std::str::from_utf8(&bytes).map_err(|e| bad(&e))?.parse::<toml::Table>().map_err(|e| bad(&e))?;
    match all.get("models").and_then(|models| models.get("folder")) {
        None => Ok(home.join(FOLDER)),
        Some(folder) => folder
            .as_str()
            .map(|folder| home.join(folder))
            .ok_or_else(|| bad(&"`folder` of [models] is no text: write a path")),
    }
}

/// A card as it is printed.
fn shown(card: &Card) -> Value {
    let mut value = json!(card);
    value["mib"] = json!(card.bytes.div_ceil(1 << 20));
    value
}

fn verify(shelf: &Shelf, out: Out) -> Result<(), Failure> {
    let mut wrong = 0;
    let checked = shelf.cards().iter().map(|card| {
        let error = shelf.verify(card).err().map(|error| error.to_string());
        wrong += usize::from(error.is_some());
        json!({"name": card.name, "sha256": card.sha256, "holds": error.is_none(), "error": error})
    });
    let checked: Vec<Value> = checked.collect();
    out.list(&checked, &[("name", "/name"), ("holds", "/holds"), ("sha256", "/sha256")])?;
    for error in checked.iter().filter_map(|model| model["error"].as_str()).filter(|_| !out.is_json()) {
        out.line(&out::printable(error))?;
    }
    match wrong {
        0 => Ok(()),
        _ => Err(Failure::unverified(format!(
            "{wrong} of {} models are not what their cards say",
            checked.len()
        ))),
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Self::failed(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shelf_is_the_one_that_the_platform_takes() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(shelf_of(home.path()).unwrap(), home.path().join("models"));
        let set = |text: &str| {
            durable::write(&home.path().join(SETTINGS), text.as_bytes(), durable::Mode::Public).unwrap();
            shelf_of(home.path())
        };
        assert_eq!(set("[mesh]\nenabled = true\n").unwrap(), home.path().join("models"));
        assert_eq!(set("[models]\nfolder = \"big\"\n").unwrap(), home.path().join("big"));
        assert_eq!(set("[models]\nfolder = \"/srv/models\"\n").unwrap(), Path::new("/srv/models"));
        for bad in ["[models]\nfolder = 5\n", "[models"] {
            assert!(set(bad).unwrap_err().to_string().contains(SETTINGS), "{bad}");
        }
    }
}
