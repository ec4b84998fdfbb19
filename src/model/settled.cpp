#include "model/settled.h"

namespace diskrelease {

std::string_view to_text(Settled settled) noexcept {
  switch (settled) {
    case Settled::executed:
      return "executed";
    case Settled::gone:
      return "gone";
    case Settled::refused:
      return "refused";
    case Settled::not_executed:
      return "not_executed";
  }
  return "";
}

}  // namespace diskrelease
