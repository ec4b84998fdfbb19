#include "run/drive.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <deque>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#include "net/wait.h"
#include "run/bell.h"
#include "run/departure_gate.h"
#include "run/dispatch.h"

namespace diskrelease {
namespace {

/// One thread can keep as many busy as a processor has time for.
constexpr std::size_t k_actors_per_thread = 32;
/// Without polling in between, so that no actor keeps the others of its thread from their answers.
constexpr int k_most_steps_in_a_row = 8;

/// The first error of all threads.
class ErrorKeeper {
 public:
  void keep(std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    if (!first_) first_ = std::move(error);
  }
  void rethrow() const {
    if (first_) std::rethrow_exception(first_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr first_;
};

/// What is read from one descriptor, as poll(2) has it.
pollfd readable(int fd) { return {.fd = fd, .events = POLLIN, .revents = 0}; }

/// Descriptors that are waited for, each until it has become readable once. Unlike a list that is
/// handed to poll(2) each time, it costs the same however many there are. A descriptor that is
/// closed drops out by itself.
class WatchList {
 public:
  WatchList() : fd_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (fd_ < 0) throw std::system_error(errno, std::system_category(), "epoll_create1");
  }
  ~WatchList() { ::close(fd_); }
  WatchList(const WatchList&) = delete;
  WatchList& operator=(const WatchList&) = delete;

  /// False where it cannot be waited for.
  [[nodiscard]] bool add(int fd, void* owner) const noexcept {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLONESHOT;
    event.data.ptr = owner;
    // Most have been watched before, on the same connection.
    return ::epoll_ctl(fd_, EPOLL_CTL_MOD, fd, &event) == 0 ||
           ::epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) == 0;
  }

  /// Calls `found(owner)` for each that is readable now.
  template <class Found>
  void look(Found found) const {
    std::array<epoll_event, 64> events;
    for (;;) {
      const int count = ::epoll_wait(fd_, events.data(), static_cast<int>(std::ssize(events)), 0);
      for (int i = 0; i < count; ++i) found(events[static_cast<std::size_t>(i)].data.ptr);
      if (count < std::ssize(events)) return;
    }
  }

  /// Readable while any of them is.
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

/// Drives some actors on the calling thread.
class Loop {
 public:
  Loop(DepartureGate& gate, Dispatch& dispatch, const Clock& clock, ErrorKeeper& errors)
      : gate_(gate), dispatch_(dispatch), clock_(clock), errors_(errors), ear_(gate.bell()) {}
  ~Loop() {
    for (Task& task : tasks_) {
      if (task.apart.joinable()) task.apart.join();
    }
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  void add(const Actor& actor) {
    Task& task = tasks_.emplace_back();
    task.actor = &actor;
    task.due = SleepUntil{clock_.steady_now()};
  }

  void run() {
    for (;;) {
      now_ = clock_.steady_now();
      for (Task& task : tasks_) step_while_due(task);
      if (all_finished()) return;
      if (any_due()) {
        poll(SteadyTime::min());
        continue;
      }
      answered_ = false;
      ear_.listen();
      poll(any_due() ? SteadyTime::min() : next_time());
      ear_.hush();
    }
  }

 private:
  struct Task {
    const Actor* actor = nullptr;
    Due due;
    bool readable = false;  ///< the latest poll has found something of its answer
    std::thread apart;
    std::atomic<bool> apart_ended = false;  ///< the step made apart has ended, and `due` is set
  };

  [[nodiscard]] bool all_finished() const {
    return std::ranges::all_of(
        tasks_, [](const Task& task) { return !task.apart.joinable() && has<Finished>(task); });
  }

  template <class What>
  static bool has(const Task& task) {
    return std::holds_alternative<What>(task.due);
  }

  [[nodiscard]] bool any_due() {
    now_ = clock_.steady_now();
    return std::ranges::any_of(tasks_, [&](const Task& task) { return is_due(task); });
  }

  [[nodiscard]] bool is_due(const Task& task) const {
    if (task.apart.joinable()) return task.apart_ended;
    if (const auto* sleep = std::get_if<SleepUntil>(&task.due)) {
      return sleep->at <= now_ || gate_.stopping() ||
             (answered_ && sleep->with_answer_from <= now_);
    }
    if (const auto* work = std::get_if<AwaitWork>(&task.due)) {
      return work->until <= now_ || dispatch_.version() != work->seen || gate_.stopping();
    }
    if (const auto* commit = std::get_if<AwaitCommit>(&task.due)) {
      return commit->announcement->decided();
    }
    if (const auto* reply = std::get_if<AwaitReply>(&task.due)) {
      return task.readable || reply->watch.reply_fd < 0 || reply->watch.deadline <= now_;
    }
    if (const auto* lane = std::get_if<AwaitLane>(&task.due)) {
      return !lane->turn->taken || gate_.stopping();
    }
    return has<StepApart>(task);
  }

  void step_while_due(Task& task) {
    for (int steps = 0; steps < k_most_steps_in_a_row && is_due(task); ++steps) {
      task.readable = false;
      const bool awaited_reply = has<AwaitReply>(task);
      if (task.apart.joinable()) {
        task.apart.join();
        task.apart_ended = false;
      } else if (!has<StepApart>(task) || task.actor->blocks || !step_apart(task)) {
        step(task);
      }
      answered_ = answered_ || (awaited_reply && !has<AwaitReply>(task));
      if (!task.apart.joinable()) watch(task);
      now_ = clock_.steady_now();
    }
  }

  /// What the task waits for will wake this thread from now on.
  void watch(Task& task) {
    if (const auto* commit = std::get_if<AwaitCommit>(&task.due)) commit->announcement->expect();
    const auto* reply = std::get_if<AwaitReply>(&task.due);
    if (reply == nullptr || reply->watch.reply_fd < 0) return;
    abort_fd_ = reply->watch.abort_fd;
    if (!watched_.add(reply->watch.reply_fd, &task)) task.readable = true;
  }

  /// False where there can be no further thread.
  bool step_apart(Task& task) {
    try {
      task.apart = std::thread([this, &task] {
        step(task);
        task.apart_ended = true;
        gate_.bell().ring();
      });
      return true;
    } catch (const std::system_error&) {
      return false;
    }
  }

  void step(Task& task) {
    try {
      task.due = task.actor->step();
    } catch (const std::exception& error) {
      errors_.keep(std::current_exception());
      task.due = Finished{};
      dispatch_.stop({EndReason::failed, "internal_error", error.what()});
    }
  }

  [[nodiscard]] SteadyTime next_time() const {
    SteadyTime next = SteadyTime::max();
    for (const Task& task : tasks_) {
      if (task.apart.joinable()) continue;
      if (const auto* sleep = std::get_if<SleepUntil>(&task.due)) {
        next = std::min(next, sleep->at);
      } else if (const auto* work = std::get_if<AwaitWork>(&task.due)) {
        next = std::min(next, work->until);
      } else if (const auto* reply = std::get_if<AwaitReply>(&task.due)) {
        next = std::min(next, reply->watch.deadline);
      }
    }
    return next;
  }

  /// Waits for answers, the bell, an abort or the time; SteadyTime::min() = looks without waiting.
  void poll(SteadyTime until) {
    std::array<pollfd, 3> polled{readable(ear_.fd()), readable(abort_fd_), readable(watched_.fd())};
    std::timespec timeout{};
    if (until != SteadyTime::min() && until != SteadyTime::max()) {
      timeout = timeout_of(until - clock_.steady_now());
    }
    const bool without_end = until == SteadyTime::max();
    if (::ppoll(polled.data(), polled.size(), without_end ? nullptr : &timeout, nullptr) <= 0) {
      return;  // it was the time, or a signal
    }
    if (polled[1].revents != 0) {
      for (Task& task : tasks_) task.readable = task.readable || !task.apart.joinable();
    }
    if (polled[2].revents != 0) {
      watched_.look([](void* task) { static_cast<Task*>(task)->readable = true; });
    }
  }

  DepartureGate& gate_;
  Dispatch& dispatch_;
  const Clock& clock_;
  ErrorKeeper& errors_;
  Bell::Ear ear_;
  std::deque<Task> tasks_;  // they stay where they are
  SteadyTime now_;
  bool answered_ = false;  ///< a request has ended since this thread slept
  WatchList watched_;
  int abort_fd_ = -1;
};

std::size_t threads_for(std::size_t actors) {
  const std::size_t wanted = (actors + k_actors_per_thread - 1) / k_actors_per_thread;
  return std::min<std::size_t>(wanted, std::max(1U, std::thread::hardware_concurrency()));
}

}  // namespace

void drive_with_threads(DepartureGate& gate, Dispatch& dispatch, const Clock& clock,
                        const std::vector<Actor>& actors) {
  ErrorKeeper errors;
  try {
    std::deque<Loop> loops;
    const auto together = std::ranges::count(actors, false, &Actor::blocks);
    const std::size_t shared = threads_for(static_cast<std::size_t>(together));
    for (std::size_t i = 0; i < shared; ++i) loops.emplace_back(gate, dispatch, clock, errors);
    for (const Actor& actor : actors) {
      Loop& loop = actor.blocks ? loops.emplace_back(gate, dispatch, clock, errors)
                                : loops[actor.lane % shared];
      loop.add(actor);
    }
    std::vector<std::jthread> threads;
    threads.reserve(loops.size());
    try {
      for (Loop& loop : loops) threads.emplace_back([&loop] { loop.run(); });
    } catch (const std::system_error& error) {
      // Before the threads that have begun are waited for: so they come to their end.
      dispatch.stop({EndReason::failed, "out_of_resources", error.what()});
    }
  } catch (const std::system_error& error) {
    dispatch.stop({EndReason::failed, "out_of_resources", error.what()});
  }
  errors.rethrow();
}

}  // namespace diskrelease
