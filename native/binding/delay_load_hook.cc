// Windows, where another compiler than MSVC links the addon (node-gyp brings a hook of its own): the functions of
// Node-API are those of the process's executable, also when that is not called node.exe.
#if defined(_WIN32) && defined(SLABPOOL_DELAY_LOAD_HOOK)

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

// Needs the types of windows.h.
#include <delayimp.h>
#include <string.h>

static FARPROC WINAPI load_executable(unsigned event, PDelayLoadInfo info) {
  if (event != dliNotePreLoadLibrary || _stricmp(info->szDll, "node.exe") != 0) return nullptr;
  HMODULE const library = GetModuleHandleA("libnode.dll");
  return reinterpret_cast<FARPROC>(library != nullptr ? library : GetModuleHandleA(nullptr));
}

extern "C" {
PfnDliHook __pfnDliNotifyHook2 = load_executable;
}

#endif
