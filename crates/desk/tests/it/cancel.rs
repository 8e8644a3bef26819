//! Callers that go away in the middle of a request.

use std::{collections::BTreeSet, time::Duration};

use dossier::LogName;
use echo_core::PageRequest;

use crate::{device::House, flow::worry};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_goes_away_leaves_all_or_nothing_and_no_entry_twice() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    for number in 0_u64..60 {
        let (desk, call, open) = (house.desk.clone(), house.call(), worry(&customer, None));
        let request = tokio::spawn(async move { desk.open_case(&call, open).await.map(drop) });
        tokio::time::sleep(Duration::from_micros(number * 300)).await;
        request.abort();
        let _ = request.await;
        // At once, while what the caller began may still be under way.
        let drained = tokio::time::timeout(Duration::from_secs(20), house.desk.drain()).await;
        drained.expect("it ends").unwrap();
    }
    let page = PageRequest::largest();
    let cases = house.desk.cases(&house.operator, None, &page).await.unwrap().items.len();
    let receipts = house.desk.receipts(&house.operator, &page).await.unwrap().items.len();
    assert_eq!(cases, receipts, "a case has its receipt, or there is neither");
    for name in LogName::ALL {
        let log = house.desk.log(name);
        let entries = log.entries(0, 1_000).unwrap();
        let different: BTreeSet<_> = entries.iter().collect();
        assert_eq!(different.len(), entries.len(), "{name} holds an entry twice");
        let report = ledger::fsck(log.dir(), log.vkey()).unwrap();
        assert_eq!(report.size, entries.len() as u64);
    }
    let aeterna = house.desk.log(LogName::Aeterna).size();
    assert_eq!(aeterna, receipts as u64);
}
