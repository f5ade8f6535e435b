{
  "targets": [
    {
      "target_name": "slabpool",
      "sources": ["<!@(node native/source-hash.js --units)"],
      "include_dirs": [".", "<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": [
        "NAPI_VERSION=8",
        "NAPI_DISABLE_CPP_EXCEPTIONS",
        # A worker that is being terminated can throw nothing; without this, node-addon-api aborts the process then.
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
        "SLABPOOL_SOURCE_HASH=\"<!(node native/source-hash.js)\""
      ],
      "cflags_cc": ["-std=c++20", "-O3", "-Wall", "-Wextra", "-Wconversion", "-Wno-unused-parameter", "-fvisibility=hidden"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fno-omit-frame-pointer"],
      "conditions": [
        ["OS=='linux'", {
          # nodelete: the pools' memory and, later, threads outlive the worker that loaded the addon.
          # The C++ runtime is linked in, so that one binary serves distributions with an older one.
          "ldflags": ["-Wl,-z,nodelete", "-static-libstdc++", "-static-libgcc"]
        }],
        ["OS=='mac'", {
          "xcode_settings": { "CLANG_CXX_LANGUAGE_STANDARD": "c++20", "GCC_OPTIMIZATION_LEVEL": "3" }
        }],
        ["OS=='win'", {
          "msvs_settings": { "VCCLCompilerTool": { "AdditionalOptions": ["/std:c++20"] } }
        }]
      ]
    }
  ]
}
