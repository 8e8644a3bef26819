//! The steps by which an installation changes a disk.
//!
//! `durable` writes one file; an update is an order of many steps, and the test that cuts the power between any two of
//! them has to see each. So they go through [`Disk`]; reading does not.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink},
    path::Path,
};

/// A file that is being written.
pub trait Output: Write {
    /// Returns when its content is durable. Its name is another matter: see [`Disk::sync_folder`].
    fn sync(&mut self) -> io::Result<()>;
}

/// What changes a disk. None of it is durable before it is flushed.
pub trait Disk {
    /// Makes a folder that everybody may read; there may be one already.
    fn folder(&self, path: &Path) -> io::Result<()>;
    /// Makes an empty file with these permissions, in the place of what was there.
    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn Output + '_>>;
    /// Makes a symbolic link; there must be nothing yet.
    fn link(&self, target: &Path, path: &Path) -> io::Result<()>;
    /// Gives a file or link another name in the same folder, in the place of what has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file or link.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
    /// Returns when the names in a folder are durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
}

/// The disk of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Output for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

impl Disk for RealDisk {
    fn folder(&self, path: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(0o755).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            done => done,
        }
    }

    fn create(&self, path: &Path, mode: u32) -> io::Result<Box<dyn Output>> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
        // The mask of the process must not make a program that nobody else can start.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        Ok(Box::new(file))
    }

    fn link(&self, target: &Path, path: &Path) -> io::Result<()> {
        symlink(target, path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

/// Replaces the file `name` in `folder`: the old content or the new, never a part.
pub fn replace(disk: &dyn Disk, folder: &Path, name: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
    let next = folder.join(format!(".{name}.next"));
    let mut file = disk.create(&next, mode)?;
    file.write_all(bytes)?;
    file.sync()?;
    drop(file);
    disk.rename(&next, &folder.join(name))?;
    disk.sync_folder(folder)
}

/// Makes the link `name` in `folder` lead to `target`, as one step.
pub fn relink(disk: &dyn Disk, folder: &Path, name: &str, target: &Path) -> io::Result<()> {
    let path = folder.join(name);
    if fs::read_link(&path).is_ok_and(|found| found == target) {
        return Ok(());
    }
    let next = folder.join(format!(".{name}.next"));
    if next.symlink_metadata().is_ok() {
        disk.remove(&next)?;
    }
    disk.link(target, &next)?;
    disk.rename(&next, &path)?;
    disk.sync_folder(folder)
}

/// Removes a folder with all that is in it; links are not followed. It need not be there.
pub fn remove_tree(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(disk, &entry.path())?;
        } else {
            disk.remove(&entry.path())?;
        }
    }
    disk.remove_folder(path)
}
