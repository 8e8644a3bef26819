//! What can be proved from a folder with nothing but the key.

use std::fs;

use ledger::{
    LedgerError, ProofError, consistency, prove, prove_under, verify_consistency, verify_entry,
    verify_tlog_proof,
};

use crate::{entries, log_of, open};

#[tokio::test]
async fn a_folder_proves_every_entry_without_its_writer() {
    let home = tempfile::tempdir().unwrap();
    let log = log_of(home.path(), 600).await;
    for (index, entry) in (0..600).zip(entries(0..600)) {
        let proof = prove(home.path(), log.vkey(), index).unwrap();
        assert_eq!(proof, log.tlog_proof(index).unwrap());
        verify_tlog_proof(&proof, &entry, log.vkey()).unwrap();
    }
    let verified = verify_entry(home.path(), log.vkey(), 599, b"entry number 599").unwrap();
    assert_eq!((verified.index, verified.size), (599, 600));
    let refused = verify_entry(home.path(), log.vkey(), 599, b"entry number 598");
    assert!(matches!(refused, Err(LedgerError::Unproven(ProofError::NotIncluded { .. }))), "{refused:?}");
    let missing = prove(home.path(), log.vkey(), 600);
    assert!(matches!(missing, Err(LedgerError::NoSuchEntry { index: 600, size: 600 })));
}

#[tokio::test]
async fn a_folder_proves_an_entry_under_a_head_that_somebody_kept() {
    let home = tempfile::tempdir().unwrap();
    let log = log_of(home.path(), 300).await;
    let kept = log.checkpoint();
    log.append(entries(300..600)).await.unwrap();
    let proof = prove_under(home.path(), log.vkey(), 299, &kept).unwrap();
    assert!(proof.ends_with(&kept));
    let verified = verify_tlog_proof(&proof, b"entry number 299", log.vkey()).unwrap();
    assert_eq!((verified.index, verified.size), (299, 300));
    let later = prove_under(home.path(), log.vkey(), 300, &kept);
    assert!(matches!(later, Err(LedgerError::NoSuchEntry { index: 300, size: 300 })));
    let forged = kept.replacen("300", "301", 1);
    assert!(matches!(prove_under(home.path(), log.vkey(), 3, &forged), Err(LedgerError::Unproven(_))));
}

#[tokio::test]
async fn a_folder_proves_that_it_only_grew() {
    let home = tempfile::tempdir().unwrap();
    let log = open(home.path());
    let mut heads = vec![log.head()];
    for (from, to) in [(0, 5), (5, 256), (256, 700)] {
        log.append(entries(from..to)).await.unwrap();
        heads.push(log.head());
    }
    for old in &heads {
        for new in heads.iter().filter(|new| new.size >= old.size) {
            let joined = consistency(home.path(), log.vkey(), old.size, new.size).unwrap();
            assert_eq!((joined.from_root, joined.to_root), (old.root, new.root));
            verify_consistency(old.size, &old.root, new.size, &new.root, &joined.proof).unwrap();
        }
    }
    for (from, to) in [(6, 5), (0, 701)] {
        let refused = consistency(home.path(), log.vkey(), from, to);
        assert!(matches!(refused, Err(LedgerError::NoSuchSize { size: 700, .. })));
    }
}

#[tokio::test]
async fn a_damaged_folder_proves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let log = log_of(home.path(), 600).await;
    let tile = home.path().join("tile/1/000.p/2");
    let mut bytes = fs::read(&tile).unwrap();
    bytes[3] ^= 1;
    durable::write(&tile, &bytes, durable::Mode::Public).unwrap();
    let refused = prove(home.path(), log.vkey(), 3);
    assert!(matches!(&refused, Err(LedgerError::Damaged(_))), "{refused:?}");
    let refused = prove(home.path(), "not a key", 3);
    assert!(matches!(refused, Err(LedgerError::Key(ProofError::Vkey))));
}
