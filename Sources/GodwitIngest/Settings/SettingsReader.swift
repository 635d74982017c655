// SPDX-License-Identifier: Apache-2.0
package import Configuration
import Godwit

/// Something in the settings that can't stand. Tells where, what, and what is allowed; never a secret.
public struct SettingsProblem: Sendable, Hashable, CustomStringConvertible {
    public var key: String
    /// As it was read, made harmless to show; nil where nothing was, or for a secret.
    public var value: String?
    /// What may stand there, or what is wrong.
    public var allowed: String
    var isSecret = false

    public var description: String {
        if isSecret { return "\(key) is <redacted>: \(allowed)" }
        guard let value else { return "\(key) is not set: \(allowed)" }
        return "\(key) is \"\(value)\": \(allowed)"
    }
}

/// Every problem of the settings at once.
public struct SettingsError: Error, Sendable, CustomStringConvertible {
    public var problems: [SettingsProblem]

    public var description: String {
        """
        the settings can't be used, \(problems.count) \(problems.count == 1 ? "thing is" : "things are") wrong:
        \(problems.map { "  - \($0)" }.joined(separator: "\n"))
        Set a key by a flag (--set key=value), by the environment (\(Settings.variable("cpu.slots")) for \
        cpu.slots) or in the settings file; flags go before the environment, and that before the file.
        """
    }
}

/// Reads settings one by one and keeps on after a problem, so that all are told together.
package struct SettingsReader {
    private let config: ConfigReader
    package private(set) var problems: [SettingsProblem] = []

    package init(_ config: ConfigReader) { self.config = config }

    package mutating func fail(_ key: String, _ value: String?, _ allowed: String) {
        problems.append(
            SettingsProblem(
                key: key, value: value.map { $0.cut(to: 200).escapedForDisplay }, allowed: allowed))
    }

    package mutating func failSecret(_ key: String, _ allowed: String) {
        problems.append(SettingsProblem(key: key, allowed: allowed, isSecret: true))
    }

    /// What stands there as text, whatever its type; a list with commas.
    ///
    /// Why not by type: a wrong type would be told as if nothing stood there.
    package func text(_ key: String) -> String? {
        let name = ConfigKey(key)
        let isSecret = Settings.secrets.contains(key)
        if let text = try? config.requiredString(forKey: name, isSecret: isSecret) { return text }
        if let number = try? config.requiredInt(forKey: name) { return "\(number)" }
        if let number = try? config.requiredDouble(forKey: name) { return "\(number)" }
        if let flag = try? config.requiredBool(forKey: name) { return "\(flag)" }
        if let list = try? config.requiredStringArray(forKey: name) {
            return list.joined(separator: ",")
        }
        if let list = try? config.requiredIntArray(forKey: name) {
            return list.map(String.init).joined(separator: ",")
        }
        return nil
    }

    package mutating func integer(
        _ key: String, _ range: ClosedRange<Int>, default value: Int
    ) -> Int {
        guard let text = text(key) else { return value }
        guard let number = Int(text), range.contains(number) else {
            fail(
                key, text,
                "allowed is a whole number from \(range.lowerBound) to \(range.upperBound)")
            return value
        }
        return number
    }

    package mutating func seconds(
        _ key: String, _ range: ClosedRange<Double>, default value: Duration
    ) -> Duration {
        guard let text = text(key) else { return value }
        guard let number = Double(text), range.contains(number) else {
            fail(
                key, text,
                "allowed are \(SettingsReader.plain(range.lowerBound)) to \(SettingsReader.plain(range.upperBound)) seconds"
            )
            return value
        }
        return .milliseconds(Int64(number * 1000))
    }

    package mutating func flag(_ key: String, default value: Bool) -> Bool {
        guard let text = text(key) else { return value }
        guard let flag = Bool(text) else {
            fail(key, text, "allowed is true or false")
            return value
        }
        return flag
    }

    /// One of some words.
    package mutating func choice<Value: RawRepresentable & CaseIterable>(
        _ key: String, default value: Value
    ) -> Value where Value.RawValue == String {
        guard let text = text(key) else { return value }
        guard let choice = Value(rawValue: text) else {
            fail(key, text, "allowed is one of \(Self.words(Value.self))")
            return value
        }
        return choice
    }

    /// Some words of a list, each once.
    package mutating func choices<Value: RawRepresentable & CaseIterable & Hashable>(
        _ key: String, default value: [Value]
    ) -> [Value] where Value.RawValue == String {
        guard let text = text(key) else { return value }
        let words = text.split(separator: ",").map { String($0.filter { $0 != " " }) }
        let choices = words.compactMap { Value(rawValue: $0) }
        guard choices.count == words.count, Set(choices).count == choices.count else {
            fail(key, text, "allowed are some of \(Self.words(Value.self)), each once, with commas")
            return value
        }
        return choices
    }

    package mutating func integers(
        _ key: String, _ range: ClosedRange<Int>, most: Int, default value: [Int]
    ) -> [Int] {
        guard let text = text(key) else { return value }
        let words = text.split(separator: ",", omittingEmptySubsequences: false)
        let numbers = words.compactMap { Int($0.filter { $0 != " " }) }
        guard numbers.count == words.count, (1...most).contains(numbers.count),
            numbers.allSatisfy({ range.contains($0) }), Set(numbers).count == numbers.count
        else {
            fail(
                key, text,
                "allowed are 1 to \(most) different whole numbers from \(range.lowerBound) to \(range.upperBound), with commas"
            )
            return value
        }
        return numbers
    }

    private static func words<Value: RawRepresentable & CaseIterable>(_ type: Value.Type) -> String
    where Value.RawValue == String {
        Value.allCases.map(\.rawValue).joined(separator: ", ")
    }

    private static func plain(_ number: Double) -> String {
        number == number.rounded() ? "\(Int(number))" : "\(number)"
    }
}
