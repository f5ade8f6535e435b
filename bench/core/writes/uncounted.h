// For a build whose atomics are those of the core: nothing calls count_write().
#pragma once

#include <source_location>
