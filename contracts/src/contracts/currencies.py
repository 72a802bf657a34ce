"""Digits of each currency's minor unit: ISO 4217, list one of 2026-01-01.

`tests/contract/test_money.py` compares the table with the package `iso4217`, which follows the list that ISO
publishes. The contracts import no package for the table; CLDR's digits (babel) are
those of daily use and not ISO's.
"""

from collections.abc import Mapping

_CODES: Mapping[int, str] = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD"
        " CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS"
        " GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD"
        " LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB"
        " PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP"
        " SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW"
        " ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

# Withdrawn since 2010, with the digits that they had: stored amounts outlive their currency.
_WITHDRAWN: Mapping[int, str] = {
    0: "BYR",
    2: "ANG BGN CUC EEK HRK LTL LVL MRO SLL STD VEF ZMK ZWL",
}

# By alphabetic code in capitals. Codes without a minor unit (XAU, XDR…) are no money for payments.
MINOR_DIGITS: Mapping[str, int] = {
    code: digits
    for table in (_CODES, _WITHDRAWN)
    for digits, codes in table.items()
    for code in codes.split()
}

# ISO's code for "no currency", beside the amount 0 when the provider sent no amount.
NO_CURRENCY = 3 * "X"
