#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace diskrelease {

/// Makes a change to a copy of `memory` in a child process, one machine instruction at a time
/// (ptrace). `prepare` is called with the copy before that and returns the change. The result is
/// every content that the first `watched` bytes had on the way, the first and the last included:
/// each is what a SIGKILL at some instruction would leave. Throws when the child cannot be traced
/// or does not end by itself.
[[nodiscard]] std::vector<std::vector<std::byte>> contents_on_the_way(
    std::span<const std::byte> memory, std::size_t watched,
    const std::function<std::function<void()>(void*)>& prepare);

}  // namespace diskrelease
