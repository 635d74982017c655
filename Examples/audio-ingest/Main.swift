// SPDX-License-Identifier: Apache-2.0
@main struct AudioIngest {
    static func main() {}
}
