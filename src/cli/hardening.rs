//! What keeps keys inside this process: no core dumps, no debugger of another user's, no swap.
use crate::secret;

/// Neither a crash nor another process of the same user gets at this one's memory (prctl(2), `PR_SET_DUMPABLE`; setrlimit(2), `RLIMIT_CORE`). A
/// kernel that pipes its core dumps to a program heeds the first only, so both are set.
pub(super) fn no_core_dumps() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        for (what, result) in [
            ("PR_SET_DUMPABLE", set_dumpable_behavior(DumpableBehavior::NotDumpable)),
            ("RLIMIT_CORE", setrlimit(Resource::Core, none)),
        ] {
            if let Err(error) = result {
                eprintln!("strongroom: a crash could write keys to a core dump: {what}: {error}");
            }
        }
    }
}

/// Tells the operator of a server whether keys can be swapped out.
pub(super) fn report() {
    match secret::is_locked() {
        Ok(()) => tracing::debug!("keys are locked into memory"),
        Err(error) => tracing::warn!(
            %error,
            "keys may be swapped out to disk: allow this process to lock 64 KiB (LimitMEMLOCK= of systemd, --ulimit memlock= of containers), or \
             encrypt the swap space"
        ),
    }
}
