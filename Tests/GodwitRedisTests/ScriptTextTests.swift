// SPDX-License-Identifier: Apache-2.0
import GodwitRedis
import Testing

/// How a script is put together.
@Suite struct `Script text` {
    private let assembly = ScriptText(
        clock: "local now = 1\n",
        prelude: """
            local head
            -- piece: a
            local a
            -- piece: b, uses: a
            local b
            -- piece: c
            local c

            """)

    @Test func `the flag line stays first and unused pieces stay out`() {
        let text = assembly.text(of: "#!lua flags=allow-oom\n-- uses: c\nreturn c\n")
        #expect(
            text
                == "#!lua flags=allow-oom\nlocal now = 1\nlocal head\nlocal c\n-- uses: c\nreturn c\n"
        )
    }

    @Test func `what a piece uses comes along, before it`() {
        let text = assembly.text(of: "-- uses: b\nreturn b\n")
        #expect(text == "local now = 1\nlocal head\nlocal a\nlocal b\n-- uses: b\nreturn b\n")
    }

    @Test func `a word that emits calls another one, which is written once`() {
        let emit = ScriptText.joining(
            "add", "return ARGV[1]\n", into: "-- calls: add\nlocal send = add_word\n")
        let word = "-- uses: a\nlocal send -- emits: here\nreturn send\n"
        #expect(assembly.text(of: word).hasSuffix("local send -- emits: here\nreturn send\n"))
        let text = assembly.text(of: word, emitting: emit)
        #expect(
            text.contains(
                "local function add_word(KEYS, ARGV)\nlocal tag, markers = KEYS[1], KEYS[2]\n"
                    + "return ARGV[1]\nend\n"))
        #expect(text.contains("local send = add_word\n") && text.hasSuffix("return send\n"))
    }

    @Test func `the clocks make scripts of different names`() {
        let real = Scripts(isVirtual: false)
        let virtual = Scripts(isVirtual: true)
        #expect(Set((real.all + virtual.all).map(\.sha)).count == 48)
    }
}
