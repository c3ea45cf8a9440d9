//! The heap keeps what it once had. An allocator gives memory back when a cluster ends, if what ended happened to be at
//! the end of the heap, and then the next cluster pays for all its pages anew: that has been a quarter of the time of
//! some, and nothing of others. The allocator of the GNU library takes such a setting from the environment only, before
//! the program begins. So the program begins again.

use std::io;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn keep() -> io::Result<()> {
    use std::env;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    const TRIM: &str = "MALLOC_TRIM_THRESHOLD_";
    const MMAP: &str = "MALLOC_MMAP_THRESHOLD_";

    if env::var_os(TRIM).is_some() {
        return Ok(());
    }
    let mut again = Command::new(env::current_exe()?);
    again.args(env::args_os().skip(1));
    // More than there is, and the largest that is allowed.
    again.env(TRIM, (1_u64 << 40).to_string()).env(MMAP, (32 << 20).to_string());
    Err(again.exec())
}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn keep() -> io::Result<()> {
    Ok(())
}
