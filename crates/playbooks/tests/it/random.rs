//! Random devices and playbooks: an undo brings every byte back, and nothing makes a plan panic.

use playbooks::RunOutcome;
use proptest::prelude::*;

use crate::device::{Device, template};

const FILES: [&str; 4] = ["/etc/a", "/etc/b", "/etc/d/c", "/new/x/y"];

/// Readable by its owner, so that the test need not run as root.
fn mode() -> impl Strategy<Value = u32> {
    0o400_u32..0o1000
}

fn step() -> impl Strategy<Value = String> {
    let file = proptest::sample::select(&FILES[..]);
    let when = proptest::sample::select(&["always", "exists", "folder_exists"][..]);
    let word = "[a-c]{1,2}";
    prop_oneof![
        (file.clone(), word, word, when.clone()).prop_map(|(f, k, v, w)| format!(
            "- config_key: {{path: {f}, key: {k}, value: {v}, when: {w}}}\n"
        )),
        (file.clone(), word, any::<bool>(), when.clone()).prop_map(|(f, l, gone, w)| {
            let state = if gone { "absent" } else { "present" };
            format!("- file_line: {{path: {f}, line: {l}, state: {state}, when: {w}}}\n")
        }),
        (file.clone(), mode(), any::<bool>()).prop_map(|(f, m, s)| format!(
            "- permission: {{path: {f}, mode: \"{m:04o}\", or_stricter: {s}}}\n"
        )),
        (file.clone(), word, when)
            .prop_map(|(f, c, w)| format!("- file_content: {{path: {f}, content: {c}, when: {w}}}\n")),
        (file, word).prop_map(|(f, v)| format!("- sysctl: {{key: a.b, value: {v}, file: {f}}}\n")),
    ]
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "([#a-c]{1,3}[ =]{0,2}[a-c]{0,2}\r?\n?){0,5}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn apply_then_undo_gives_the_same_tree(
        steps in proptest::collection::vec(step(), 1..6),
        contents in proptest::collection::vec((content(), mode()), 3),
    ) {
        let device = Device::new(&[]);
        for (path, (bytes, mode)) in FILES.iter().zip(&contents) {
            device.put(path, bytes);
            device.set_mode(path, *mode);
        }
        let templates = template(&steps.concat());
        let before = device.tree();
        // Steps that work against each other are refused, which is an answer too.
        if let Ok(plan) = playbooks::plan(&templates, &device.target) {
            plan.validate().unwrap();
            let json = serde_json::to_string(&plan).unwrap();
            prop_assert_eq!(&serde_json::from_str::<playbooks::Plan>(&json).unwrap(), &plan);
            let report = device.apply(1, &templates, &plan.digest()).unwrap();
            if plan.is_empty() {
                prop_assert_eq!(report.outcome, RunOutcome::NothingToDo);
            } else {
                prop_assert_eq!(report.outcome, RunOutcome::Applied);
                prop_assert!(device.plan(&templates).is_empty());
                prop_assert_ne!(device.tree(), before.clone());
                device.undo(1).unwrap();
            }
        }
        prop_assert_eq!(device.tree(), before);
    }
}
