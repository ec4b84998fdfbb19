#include "run/drive.h"

#include <exception>
#include <mutex>
#include <thread>

#include "run/departure_gate.h"
#include "run/dispatch.h"

namespace diskrelease {

void drive_with_threads(DepartureGate& gate, Dispatch& dispatch, const std::vector<Actor>& actors) {
  std::mutex mutex;
  std::exception_ptr first_error;
  const auto drive = [&](const Actor& actor) {
    try {
      while (true) {
        const Due due = actor();
        if (std::holds_alternative<Finished>(due)) return;
        if (const auto* wait = std::get_if<AwaitWork>(&due)) {
          dispatch.wait_for_work(*wait);
        } else {
          gate.wait_for_slot(std::get<SleepUntil>(due).at);
        }
      }
    } catch (const std::exception& error) {
      {
        const std::lock_guard lock(mutex);
        if (!first_error) first_error = std::current_exception();
      }
      dispatch.stop({EndReason::failed, "internal_error", error.what()});
    }
  };
  {
    std::vector<std::jthread> threads;
    threads.reserve(actors.size());
    for (const Actor& actor : actors) threads.emplace_back([&drive, &actor] { drive(actor); });
  }
  if (first_error) std::rethrow_exception(first_error);
}

}  // namespace diskrelease
