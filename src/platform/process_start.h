#pragma once

namespace diskrelease {

/// Puts right what a process may inherit from whoever has started it. To be called first in main,
/// before any file is opened and any thread is started.
///
/// - Descriptors 0, 1 and 2 that are closed are opened on /dev/null. Otherwise the audit database
///   might get one of these numbers, and messages would be written into it.
/// - New files get mode 0600 and new folders 0700 whatever the umask was.
/// - SIGPIPE is not blocked. Whether it is ignored is left as it is.
/// - SIGXFSZ is ignored: a file that would exceed RLIMIT_FSIZE is a failed write, like a full disk.
///
/// Ends the process (exit code 1) where no descriptor can be opened: there is no place for a
/// message.
void prepare_process() noexcept;

/// Has a write to a closed pipe or connection fail instead of ending the process.
void ignore_broken_pipes() noexcept;

}  // namespace diskrelease
