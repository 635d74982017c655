// SPDX-License-Identifier: Apache-2.0
// Why a program that does nothing: SwiftPM builds only the products that somebody depends on.
