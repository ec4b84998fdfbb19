#include "run/drive.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <stdexcept>
#include <thread>

#include "run/departure_gate.h"
#include "run/dispatch.h"

namespace diskrelease {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

SteadyTime now() { return std::chrono::steady_clock::now(); }

/// Actors that are plain functions, driven by real threads.
class DriveTest : public ::testing::Test {
 protected:
  void drive(const std::vector<Actor>& actors) {
    drive_with_threads(gate_, dispatch_, clock_, actors);
  }

  static JobSpec unlimited() {
    JobSpec spec;
    spec.rate.per_second.reset();
    return spec;
  }

  const SystemClock clock_;
  const JobSpec spec_ = unlimited();
  DepartureGate gate_{spec_.rate, 1, nullptr, now()};
  Dispatch dispatch_{gate_, spec_, {}, 1};
};

/// An actor that does the steps one after the other.
Actor in_steps(std::vector<std::function<Due()>> steps) {
  auto next = std::make_shared<std::size_t>(0);
  return {[steps = std::move(steps), next]() -> Due {
    if (*next == steps.size()) return Finished{};
    return steps[(*next)++]();
  }};
}

TEST_F(DriveTest, ActorsThatDoNotBlockShareThreads) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::vector<Actor> actors;
  for (int i = 0; i < 32; ++i) {
    actors.push_back(in_steps({[&]() -> Due {
      const std::lock_guard lock(mutex);
      threads.insert(std::this_thread::get_id());
      return SleepUntil{now()};
    }}));
  }
  drive(actors);
  EXPECT_EQ(threads.size(), 1U);
}

TEST_F(DriveTest, AnActorThatBlocksHasAThreadOfItsOwn) {
  std::atomic<bool> released = false;
  Actor blocked{[&]() -> Due {
                  while (!released) std::this_thread::yield();
                  return Finished{};
                },
                true};
  Actor releaser = in_steps({[&]() -> Due {
    released = true;
    return SleepUntil{now()};
  }});
  drive({blocked, releaser});
  EXPECT_TRUE(released);
}

TEST_F(DriveTest, AStepApartDoesNotKeepTheOthersWaiting) {
  std::atomic<bool> released = false;
  std::atomic<bool> went_on = false;
  Actor connecting = in_steps({[]() -> Due { return StepApart{}; },
                               [&]() -> Due {
                                 while (!released) std::this_thread::yield();
                                 return SleepUntil{now()};
                               },
                               [&]() -> Due {
                                 went_on = true;
                                 return SleepUntil{now()};
                               }});
  Actor releaser = in_steps({[&]() -> Due { return SleepUntil{now()}; },
                             [&]() -> Due {
                               released = true;
                               return SleepUntil{now()};
                             }});
  drive({connecting, releaser});
  EXPECT_TRUE(went_on);
}

TEST_F(DriveTest, AStopWakesWhoWaitsForADistantSlot) {
  Actor patient = in_steps({[]() -> Due { return SleepUntil{now() + hours(24)}; }});
  Actor stopper = in_steps({[&]() -> Due {
    gate_.stop({});
    return SleepUntil{now()};
  }});
  const SteadyTime began = now();
  drive({patient, {stopper.step, true}});
  EXPECT_LT(now() - began, hours(1));
}

TEST_F(DriveTest, WorkWakesWhoWaitsForIt) {
  Actor patient = in_steps({[seen = dispatch_.version()]() -> Due {
    return AwaitWork{SteadyTime::max(), seen};
  }});
  Actor bringer{[&, done = false]() mutable -> Due {
                  if (done) return Finished{};
                  done = true;
                  dispatch_.stop({});  // the simplest change
                  return SleepUntil{now()};
                },
                true};
  drive({patient, bringer});
  EXPECT_TRUE(gate_.stopping());
}

TEST_F(DriveTest, NobodyWaitsForWorkBeyondItsTimeNorForAChangeThatHasHappened) {
  const SteadyTime began = now();
  drive({in_steps({[&]() -> Due {
                     return AwaitWork{now() + milliseconds(1), dispatch_.version()};
                   },
                   [&]() -> Due {
                     const std::uint64_t before = dispatch_.version();
                     dispatch_.stop({});  // the simplest change
                     return AwaitWork{SteadyTime::max(), before};
                   }})});
  EXPECT_GE(now() - began, milliseconds(1));
}

TEST_F(DriveTest, AnAnswerWakesWhoWaitsForItAndSoDoesItsDeadline) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()), 0);
  std::atomic<bool> answered = false;
  Actor reader =
      in_steps({[&]() -> Due {
                  return AwaitReply{{pair[0], -1, now() + hours(24)}};
                },
                [&]() -> Due {
                  char byte = 0;
                  answered = ::recv(pair[0], &byte, 1, MSG_DONTWAIT) == 1;
                  return AwaitReply{{pair[0], -1, now() + milliseconds(1)}};  // nothing more comes
                }});
  Actor writer = in_steps({[&]() -> Due {
    EXPECT_EQ(::write(pair[1], "x", 1), 1);
    return SleepUntil{now()};
  }});
  drive({reader, {writer.step, true}});
  EXPECT_TRUE(answered);
  ::close(pair[0]);
  ::close(pair[1]);
}

/// One who sleeps for a day, and what wakes its thread before the run stops.
class SleeperTest : public DriveTest {
 protected:
  SleeperTest() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair_.data()), 0); }
  ~SleeperTest() override {
    ::close(pair_[0]);
    ::close(pair_[1]);
  }
  SleeperTest(const SleeperTest&) = delete;
  SleeperTest& operator=(const SleeperTest&) = delete;

  /// Whether it was woken by what the other one does, and not by the stop that follows.
  bool is_woken(SteadyTime with_answer_from, std::vector<std::function<Due()>> others_steps) {
    bool woken = false;
    Actor sleeper = in_steps({[&]() -> Due {
                                return SleepUntil{now() + hours(24), nullptr, with_answer_from};
                              },
                              [&]() -> Due {
                                woken = !gate_.stopping();
                                return Finished{};
                              }});
    others_steps.emplace_back([&]() -> Due {
      dispatch_.stop({});
      return Finished{};
    });
    EXPECT_EQ(::write(pair_[1], "x", 1), 1);
    drive({sleeper, in_steps(std::move(others_steps))});
    return woken;
  }
  [[nodiscard]] Due await_answer() const { return AwaitReply{{pair_[0], -1, now() + hours(24)}}; }
  static Due sleep() { return SleepUntil{now() + milliseconds(1)}; }

  std::array<int, 2> pair_{};
};

TEST_F(SleeperTest, AnAnswerTakesAlongWhoCanShareItsCommit) {
  EXPECT_TRUE(is_woken(now(), {[&] { return await_answer(); }, &sleep}));
}

TEST_F(SleeperTest, AnAnswerDoesNotTakeAlongWhoseTimeIsFar) {
  EXPECT_FALSE(is_woken(now() + hours(1), {[&] { return await_answer(); }, &sleep}));
}

TEST_F(SleeperTest, NothingButAnAnswerTakesAnybodyAlong) {
  EXPECT_FALSE(is_woken(now(), {&sleep, &sleep, &sleep}));
}

TEST_F(SleeperTest, APartOfAnAnswerTakesNobodyAlong) {
  const auto part = [&] { return await_answer(); };
  EXPECT_FALSE(is_woken(now(), {part, part}));
}

TEST_F(SleeperTest, AfterASleepAnAnswerTakesNobodyAlong) {
  bool slept = false;
  bool asleep = false;
  bool woken = false;
  Actor sleeper{[&]() -> Due {
    if (asleep) {
      woken = !gate_.stopping();
      return Finished{};
    }
    if (!slept) return sleep();
    asleep = true;
    return SleepUntil{now() + hours(24), nullptr, now()};
  }};
  // One of the sleeps may be over before it has begun.
  Actor other = in_steps({[&] { return await_answer(); }, &sleep, &sleep, &sleep, &sleep,
                          [&] {
                            slept = true;
                            return sleep();
                          },
                          &sleep, &sleep,
                          [&]() -> Due {
                            dispatch_.stop({});
                            return Finished{};
                          }});
  EXPECT_EQ(::write(pair_[1], "x", 1), 1);
  drive({sleeper, other});
  EXPECT_TRUE(asleep);
  EXPECT_FALSE(woken);
}

TEST_F(DriveTest, AnAbortWakesAllWhoWaitForAnswers) {
  std::array<int, 2> silent{};
  std::array<int, 2> abort{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, silent.data()), 0);
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, abort.data()), 0);
  const auto reader = [&] {
    return in_steps({[&]() -> Due {
      return AwaitReply{{silent[0], abort[0], now() + hours(24)}};
    }});
  };
  Actor aborter = in_steps({[&]() -> Due {
    EXPECT_EQ(::write(abort[1], "x", 1), 1);
    return SleepUntil{now()};
  }});
  const SteadyTime began = now();
  drive({reader(), reader(), {aborter.step, true}});
  EXPECT_LT(now() - began, hours(1));
  for (const int fd : {silent[0], silent[1], abort[0], abort[1]}) ::close(fd);
}

TEST_F(DriveTest, AnErrorInOneStopsTheRunAndIsThrownWhenAllHaveFinished) {
  std::atomic<int> finished = 0;
  Actor good{[&]() -> Due {
    if (!gate_.stopping()) return SleepUntil{now() + milliseconds(1)};
    ++finished;
    return Finished{};
  }};
  for (const bool apart : {false, true}) {
    Actor bad = in_steps({[apart]() -> Due {
                            if (apart) return StepApart{};
                            throw std::runtime_error("broken");
                          },
                          []() -> Due { throw std::runtime_error("broken"); }});
    finished = 0;
    EXPECT_THROW(drive({good, bad, good}), std::runtime_error);
    EXPECT_EQ(finished, 2);
    EXPECT_EQ(gate_.stop_reason()->cause, "internal_error");
  }
}

}  // namespace
}  // namespace diskrelease
