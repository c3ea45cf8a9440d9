//! The copy of the workspace that mutants are put into.
//!
//! Invariants: after [`Tree::reset`] the copy equals the workspace. Files that did not change are not
//! touched, so that cargo builds only what a mutant touches.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::Error;
use crate::mutant::Mutant;

/// Folders of the workspace that no build needs.
const LEFT_OUT: [&str; 4] = ["target", "raft-sim-failures", "bench", "fuzz"];

/// A copy of the workspace at `folder/tree`, built into `folder/build`.
pub(crate) struct Tree {
    root: PathBuf,
    folder: PathBuf,
}

impl Tree {
    /// Makes the place for the copy, which [`Tree::reset`] fills.
    pub(crate) fn new(root: &Path) -> Result<Self, Error> {
        let folder = root.join("target/mutants");
        let tree = folder.join("tree");
        fs::create_dir_all(&tree)
            .map_err(Error::system(format!("cannot create {}", tree.display())))?;
        Ok(Self { root: root.to_owned(), folder })
    }

    fn copy(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// Makes the copy equal to the workspace.
    pub(crate) fn reset(&self) -> Result<(), Error> {
        let wanted = files_below(&self.root)?;
        for stale in files_below(&self.copy())?.difference(&wanted) {
            let path = self.copy().join(stale);
            fs::remove_file(&path)
                .map_err(Error::system(format!("cannot remove {}", path.display())))?;
        }
        for file in &wanted {
            copy_if_different(&self.root.join(file), &self.copy().join(file))?;
        }
        Ok(())
    }

    /// Applies a mutant's patch to the copy.
    pub(crate) fn apply(&self, mutant: &Mutant) -> Result<(), Error> {
        let output = Command::new("git")
            .args(["apply", "--whitespace=nowarn"])
            .arg(&mutant.path)
            .current_dir(self.copy())
            // The copy is not part of the repository that it lies in.
            .env("GIT_CEILING_DIRECTORIES", &self.folder)
            .output()
            .map_err(Error::system("cannot run git, which applies the patches"))?;
        succeeded(&mutant.name, "its patch does not apply any more: write it again", output)
    }

    /// Builds the command of the workspace as it is, and says where a copy of it is.
    pub(crate) fn core(&self) -> Result<PathBuf, Error> {
        self.reset()?;
        let command = self.command("the true core")?;
        let core = self.folder.join(format!("core{}", std::env::consts::EXE_SUFFIX));
        fs::copy(&command, &core)
            .map_err(Error::system(format!("cannot copy {}", command.display())))?;
        Ok(core)
    }

    /// Builds the command with the mutant in it and says where it is.
    pub(crate) fn build(&self, mutant: &Mutant) -> Result<PathBuf, Error> {
        self.command(&mutant.name)
    }

    fn command(&self, name: &str) -> Result<PathBuf, Error> {
        let build = self.folder.join("build");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["build", "--release", "--package", "raft-sim", "--target-dir"])
            .arg(&build)
            .current_dir(self.copy())
            // What matters here is the time to build.
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_INCREMENTAL", "1")
            .stdin(Stdio::null())
            .output()
            .map_err(Error::system("cannot run cargo"))?;
        succeeded(name, "it does not build", output)?;
        Ok(build.join("release").join(format!("raft-sim{}", std::env::consts::EXE_SUFFIX)))
    }
}

/// Fails with what a program wrote unless it succeeded.
fn succeeded(name: &str, problem: &str, output: Output) -> Result<(), Error> {
    let Output { status, stderr, .. } = output;
    if status.success() {
        return Ok(());
    }
    let problem = format!("{problem}\n{}", String::from_utf8_lossy(&stderr));
    Err(Error::Mutant { name: name.to_owned(), problem })
}

/// The files below `root`, relative to it, without hidden ones and those that no build needs.
fn files_below(root: &Path) -> Result<BTreeSet<PathBuf>, Error> {
    let mut files = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let cannot_list = || format!("cannot list {}", folder.display());
        for entry in fs::read_dir(&folder).map_err(Error::system(cannot_list()))? {
            let path = entry.map_err(Error::system(cannot_list()))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with('.') || LEFT_OUT.contains(&name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let relative = path.strip_prefix(root).expect("the walk began at the root");
                files.insert(relative.to_owned());
            }
        }
    }
    Ok(files)
}

fn copy_if_different(from: &Path, to: &Path) -> Result<(), Error> {
    let wanted =
        fs::read(from).map_err(Error::system(format!("cannot read {}", from.display())))?;
    if fs::read(to).is_ok_and(|present| present == wanted) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)
            .map_err(Error::system(format!("cannot create {}", folder.display())))?;
    }
    fs::write(to, wanted).map_err(Error::system(format!("cannot write {}", to.display())))
}
