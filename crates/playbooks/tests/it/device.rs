//! A device in a temporary folder.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use echo_core::{Digest, Id as _, RunId, Timestamp, clock::from_millis};
use playbooks::{Plan, RunError, RunReport, Runner, Target, Template};

pub struct Device {
    home: tempfile::TempDir,
    pub target: Target,
    pub runner: Runner,
}

/// Everything about one path that must come back: name, mode, owner, group, content.
type Seen = (PathBuf, u32, u32, u32, Vec<u8>);

pub fn run(number: u32) -> RunId {
    format!("{}_{number:032x}", RunId::PREFIX).parse().unwrap()
}

pub fn at(millis: i64) -> Timestamp {
    from_millis(millis)
}

pub fn template(steps: &str) -> Vec<Template> {
    let head = "id: test\nname: T\nversion: 1\ndescription: d\nfixes: [1]\nrisk: low\nrollback: r\nsteps:\n";
    vec![Template::parse(&format!("{head}{steps}")).unwrap()]
}

impl Device {
    pub fn new(files: &[(&str, &[u8])]) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("root")).unwrap();
        let device = Self {
            target: Target::new(home.path().join("root")),
            runner: Runner::open(&home.path().join("journal")).unwrap(),
            home,
        };
        for (path, bytes) in files {
            device.put(path, bytes);
        }
        device
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.home.path().join("root").join(path.trim_start_matches('/'))
    }

    pub fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        durable::write(&path, bytes, durable::Mode::Public).unwrap();
    }

    pub fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.path(path)).unwrap().mode() & 0o7777
    }

    pub fn set_mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), Permissions::from_mode(mode)).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub fn plan(&self, templates: &[Template]) -> Plan {
        let plan = playbooks::plan(templates, &self.target).unwrap();
        plan.validate().unwrap();
        plan
    }

    pub fn apply(
        &self,
        number: u32,
        templates: &[Template],
        approved: &Digest,
    ) -> Result<RunReport, RunError> {
        let report = self.runner.apply(&run(number), templates, approved, &self.target, at(1_000))?;
        report.validate().unwrap();
        Ok(report)
    }

    pub fn undo(&self, number: u32) -> Result<RunReport, RunError> {
        self.runner.undo(&run(number), &self.target, at(2_000))
    }

    pub fn tree(&self) -> Vec<Seen> {
        let mut out = Vec::new();
        walk(&self.path(""), &mut out);
        out.sort();
        out
    }
}

fn walk(folder: &Path, out: &mut Vec<Seen>) {
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let bytes = if meta.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if meta.is_dir() {
            walk(&path, out);
        }
        out.push((path, meta.mode(), meta.uid(), meta.gid(), bytes));
    }
}
