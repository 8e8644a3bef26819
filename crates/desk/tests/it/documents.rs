//! The documents that come with Echo: signed, entered, laid into the home, read, searched and cited.

use std::{fs, path::Path};

use agents::{EvidenceKind, Skill};
use desk::{AskSkill, DeskError, Origin, SkillCallState};
use dossier::{Document, Kind, LogName, SHIPPED, shipped_claim, verify_shipped};
use echo_core::{Mint, Timestamp};
use trust::TrustChain;

use crate::{
    device::{House, open},
    flow::worry,
};

/// Checks a document by the files of a home alone, as somebody does who has no platform.
fn verify(home: &Path, name: &str) -> Result<Timestamp, String> {
    let chain = TrustChain::load(home).map_err(|e| e.to_string())?;
    let registry = chain.verify(&chain.fingerprint(), Mint::system().now()).map_err(|e| e.to_string())?;
    let read = |path: String| fs::read_to_string(home.join(path)).map_err(|e| e.to_string());
    let signature = read(format!("documents/{name}.md.sig"))?;
    let (envelope, id) = shipped_claim(name, signature.as_bytes()).map_err(|e| e.to_string())?;
    let (entry, proof) = (read(format!("ledger/{id}.entry"))?, read(format!("ledger/{id}.tlog-proof"))?);
    let document = Document { kind: Kind::Document, id, envelope, entry, proof };
    let text = read(format!("documents/{name}.md"))?;
    verify_shipped(name, text.as_bytes(), &document, &registry).map_err(|e| e.to_string())
}

async fn remember(house: &House) {
    house.desk.tidy().await.unwrap();
    for _ in 0..20 {
        house.desk.remember_due().await.unwrap();
    }
}

#[tokio::test]
async fn the_documents_of_a_home_are_signed_entered_and_verified_without_the_platform() {
    let house = House::found().await;
    let home = house.folder.path();
    for name in SHIPPED {
        verify(home, name).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
    let briefs = house.desk.documents(&house.operator).await.unwrap();
    let signed: Vec<_> = briefs.iter().filter(|one| one.origin == Origin::Signed).collect();
    assert_eq!(signed.len(), SHIPPED.len());
    for brief in signed {
        let about = brief.signed.as_ref().unwrap();
        assert!(about.state.holds && about.state.entered.is_some(), "{brief:?}");
        let view = house.desk.document(&house.operator, Kind::Document, &about.id).await;
        // The operator's own documents have no customer, and the operator reads them.
        assert_eq!(view.unwrap().document.id, about.id);
    }
    let size = house.desk.log(LogName::Genesis).size();
    house.desk.close().await.unwrap();
    let again = open(home).await.desk;
    assert_eq!(again.log(LogName::Genesis).size(), size, "no edition is entered twice");
}

#[tokio::test]
async fn an_altered_document_is_named_and_the_next_start_restores_it() {
    let house = House::found().await;
    let home = house.folder.path();
    let path = home.join("documents/constitution.md");
    let good = fs::read_to_string(&path).unwrap();
    let altered = good.replace("is not lost", "may be lost");
    durable::write(&path, altered.as_bytes(), durable::Mode::Public).unwrap();
    fs::remove_file(home.join("documents/handbook.md")).unwrap();
    assert!(verify(home, "constitution").unwrap_err().contains("altered"));
    let text = house.desk.read_document(&house.operator, "constitution").await.unwrap();
    assert_eq!(text.text, good, "what is shown is what was signed");
    let state = text.brief.signed.unwrap().state;
    assert!(!state.holds && state.why.unwrap().contains("altered"));
    house.desk.close().await.unwrap();
    open(home).await.desk.close().await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), good);
    for name in SHIPPED {
        verify(home, name).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
}

#[tokio::test]
async fn a_home_of_an_older_echo_gets_the_documents_at_its_next_start() {
    let house = House::found().await;
    let home = house.folder.path();
    house.desk.close().await.unwrap();
    fs::remove_dir_all(home.join("documents")).unwrap();
    for entry in fs::read_dir(home.join("ledger")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert!(verify(home, "sovereignty").is_err());
    open(home).await.desk.close().await.unwrap();
    for name in SHIPPED {
        verify(home, name).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
}

#[tokio::test]
async fn who_owns_my_data_is_answered_with_the_sovereignty_statement() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    remember(&house).await;
    let case = house.desk.open_case(&house.call(), worry(&customer, None)).await.unwrap().case.id;
    let asked = AskSkill { skill: Skill::AdvisoryAnswer, question: Some("Who owns my data?".to_owned()) };
    let call = house.desk.ask(&house.call(), &case, asked).await.unwrap();
    assert_eq!(call.state, SkillCallState::Done, "{:?}", call.error);
    let advice: agents::Advice = serde_json::from_value(call.output.unwrap()).unwrap();
    let statement = "atlas_os/documents/sovereignty.md";
    let cited = advice.citations.iter().find(|one| one.title.contains(statement));
    assert_eq!(cited.and_then(|one| one.kind), Some(EvidenceKind::Document), "{advice:?}");
}

#[tokio::test]
async fn documents_are_listed_read_and_searched_by_customers_too() {
    let house = House::found().await;
    let anna = house.person_of(&house.customer("Anna").await);
    let folder = house.folder.path().join("memory/documents");
    fs::create_dir_all(&folder).unwrap();
    let text = b"# Our VPN\n\nThe zebrafish gateway listens on port 51820.\n";
    durable::write(&folder.join("vpn.md"), text, durable::Mode::Private).unwrap();
    remember(&house).await;
    let names: Vec<String> =
        house.desk.documents(&anna).await.unwrap().into_iter().map(|brief| brief.name).collect();
    for name in ["constitution", "docs/mesh", "own/vpn.md"] {
        assert!(names.iter().any(|known| known == name), "{name} is not in {names:?}");
        assert!(!house.desk.read_document(&anna, name).await.unwrap().text.is_empty());
    }
    let found = house.desk.search_documents(&anna, "zebrafish gateway").await.unwrap();
    assert_eq!((found[0].name.as_str(), found[0].heading.as_str()), ("own/vpn.md", "Our VPN"));
    let found = house.desk.search_documents(&anna, "what was acknowledged is not lost").await.unwrap();
    assert!(found.iter().any(|hit| hit.name == "constitution"), "{found:?}");
    assert!(house.desk.search_documents(&anna, "  ").await.unwrap().is_empty());
    for name in ["own/../memory.db", "own/", "nothing", "own/memory.db", "../echo.toml"] {
        let refused = house.desk.read_document(&anna, name).await;
        assert!(matches!(refused, Err(DeskError::NotFound { .. })), "{name}: {refused:?}");
    }
    assert!(house.desk.search_documents(&anna, &"x".repeat(2_000)).await.is_err());
}
