//! What Linux says of a process and all its descendants: CPU time and memory; and of the machine as a whole.

use std::fs;

/// Ticks a second in /proc: USER_HZ, which Linux fixes at 100 for what programs see.
const TICKS: f64 = 100.0;

/// The process and its descendants that live now.
pub fn tree(root: i32) -> Vec<i32> {
    let mut tree = vec![root];
    let mut parents: Vec<(i32, i32)> = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok())
            && let Some(parent) = fields(pid).and_then(|fields| fields.get(1)?.parse().ok())
        {
            parents.push((pid, parent));
        }
    }
    let mut next = 0;
    while let Some(parent) = tree.get(next).copied() {
        tree.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    tree
}

/// User and system time in seconds, of children that have ended too.
pub fn cpu(root: i32) -> f64 {
    tree(root).into_iter().filter_map(own_cpu).sum()
}

fn own_cpu(pid: i32) -> Option<f64> {
    // Behind the name: state 0, parent 1, … utime 11, stime 12, and those of children 13, 14 (proc_pid_stat(5)).
    let fields = fields(pid)?;
    let ticks: Option<Vec<f64>> = fields.get(11..15)?.iter().map(|field| field.parse().ok()).collect();
    Some(ticks?.iter().sum::<f64>() / TICKS)
}

/// The fields of /proc/PID/stat behind the program's name, which may hold spaces.
fn fields(pid: i32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// Resident and proportional memory in KiB.
pub fn memory(root: i32) -> (u64, u64) {
    let mut sums = (0, 0);
    for pid in tree(root) {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        sums.0 += figure(&text, "Rss:");
        sums.1 += figure(&text, "Pss:");
    }
    sums
}

fn figure(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// Seconds that all processors together have worked, stolen time included, and those they had.
pub fn machine() -> (f64, f64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    // user nice system idle iowait irq softirq steal; guests are within user.
    let ticks: Vec<f64> = line.split_whitespace().skip(1).take(8).filter_map(|field| field.parse().ok()).collect();
    let all: f64 = ticks.iter().sum();
    let idle: f64 = ticks.iter().skip(3).take(2).sum();
    ((all - idle) / TICKS, all / TICKS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_process_counts_with_its_children() {
        let own = i32::try_from(std::process::id()).unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let found = tree(own).contains(&i32::try_from(child.id()).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(found);
        let (rss, pss) = memory(own);
        assert!(rss >= pss && pss > 0, "{rss} {pss}");
        let before = cpu(own);
        while cpu(own) < before + 0.05 {}
        let (busy, all) = machine();
        assert!(busy > 0.0 && all > busy);
    }
}
