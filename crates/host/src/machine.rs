//! What the machine, or the container around this process, has: read once, when an engine's settings are made.

use std::fs;
use std::path::{Path, PathBuf};

/// Bytes of memory that this process may use: the machine's, or less where a control group says so.
pub(crate) fn memory() -> u64 {
    let machine = nix::sys::sysinfo::sysinfo().map_or(1 << 30, |info| info.ram_total());
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    limit(Path::new("/sys/fs/cgroup"), &own).map_or(machine, |limit| limit.min(machine))
}

/// The least limit of the control groups that a process is in, by the text of its `/proc/self/cgroup`. Both versions of
/// the kernel's interface; inside a container the own group is often the root of what is mounted.
fn limit(mount: &Path, own: &str) -> Option<u64> {
    let mut files = vec![mount.join("memory.max"), mount.join("memory/memory.limit_in_bytes")];
    for line in own.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, file) = match controllers {
            "" => (mount.to_path_buf(), "memory.max"),
            some if some.split(',').any(|one| one == "memory") => (mount.join("memory"), "memory.limit_in_bytes"),
            _ => continue,
        };
        // Every group above limits as well.
        let path = PathBuf::from(path.trim_start_matches('/'));
        files.extend(path.ancestors().map(|group| root.join(group).join(file)));
    }
    // "max" is no limit.
    files.iter().filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok()).min()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn write(root: &Path, file: &str, text: &str) {
        let file = root.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    #[test]
    fn the_least_limit_of_all_groups_counts() {
        let dir = tempfile::tempdir().unwrap();
        let own = "0::/pods/web/main\n";
        assert_eq!(limit(dir.path(), own), None);
        write(dir.path(), "pods/web/main/memory.max", "max\n");
        assert_eq!(limit(dir.path(), own), None);
        write(dir.path(), "pods/web/memory.max", "536870912\n");
        write(dir.path(), "pods/memory.max", "4294967296\n");
        assert_eq!(limit(dir.path(), own), Some(512 << 20));
        write(dir.path(), "memory.max", "268435456\n");
        assert_eq!(limit(dir.path(), own), Some(256 << 20), "a container sees its own group as the root");
    }

    #[test]
    fn the_first_version_of_control_groups_is_read_too() {
        let dir = tempfile::tempdir().unwrap();
        let own = "12:cpu,cpuacct:/docker/a\n4:memory:/docker/a\n0::/ignored\nbroken\n";
        write(dir.path(), "memory/docker/a/memory.limit_in_bytes", "1073741824\n");
        write(dir.path(), "cpu/docker/a/memory.limit_in_bytes", "1\n");
        assert_eq!(limit(dir.path(), own), Some(1 << 30));
    }

    #[test]
    fn this_machine_has_some() {
        assert!(memory() > 1 << 20);
    }
}
