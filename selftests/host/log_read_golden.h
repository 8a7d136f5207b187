/* SPDX-License-Identifier: GPL-2.0-only */
/* Records as rows: of a message, then of an event, as text, JSON, CSV and text with more. */
	"2023-11-14T22:13:20.000374485Z INFO   test first[100] a \"quoted\\\" 0\\x0a30409"
	"00993826735515 55.150000 0x2a337357ae2cc59b \\x01 \303\251 1000000",
	"{\"time\":\"2023-11-14T22:13:20.000374485Z\",\"time_ns\":1700000000000374485,\"m"
	"onotonic_ns\":333328,\"host\":\"host\",\"program\":\"program\",\"pid\":42,\"thre"
	"ad\":\"first\",\"tid\":100,\"cpu\":1,\"stream\":1,\"sequence\":0,\"level\":\"inf"
	"o\",\"subsystem\":\"test\",\"file\":\"a b.c\",\"line\":10,\"message\":\"a \\\"qu"
	"oted\\\\\\\" 0\\n3040900993826735515 55.150000 0x2a337357ae2cc59b \\u0001 \303"
	"\251 1000000\",\"fields\":{\"a\":0,\"event\":3040900993826735515,\"x y\":55.15,"
	"\"a\":3040900993826735515,\"when\":1000000}}",
	"2023-11-14T22:13:20.000374485Z,1700000000000374485,333328,\"host\",\"program\",4"
	"2,\"first\",100,1,1,0,\"info\",\"test\",\"\",\"a b.c\",10,\"a \"\"quoted\\\"\" 0\n"
	"3040900993826735515 55.150000 0x2a337357ae2cc59b \\x01 \303\251 1000000\",,,",
	"0.000333328 INFO   test host program[42] first[100] a \"quoted\\\" 0\\x0a3040900"
	"993826735515 55.150000 0x2a337357ae2cc59b \\x01 \303\251 1000000",
	"2023-11-14T22:13:20.000375126Z TRACE  trade first[100] order task=17 class=1 sym"
	"bol= price=4.25",
	"{\"time\":\"2023-11-14T22:13:20.000375126Z\",\"time_ns\":1700000000000375126,\"m"
	"onotonic_ns\":333969,\"host\":\"host\",\"program\":\"program\",\"pid\":42,\"thre"
	"ad\":\"first\",\"tid\":100,\"cpu\":1,\"stream\":1,\"sequence\":7,\"level\":\"tra"
	"ce\",\"subsystem\":\"trade\",\"name\":\"order\",\"file\":\"b.c\",\"line\":12,\"f"
	"ields\":{\"task\":17,\"class\":1,\"symbol\":\"\",\"price\":4.25}}",
	"2023-11-14T22:13:20.000375126Z,1700000000000375126,333969,\"host\",\"program\",4"
	"2,\"first\",100,1,1,7,\"trace\",\"trade\",\"order\",\"b.c\",12,\"order task=17 c"
	"lass=1 symbol= price=4.25\",\"\",4.25,",
	"0.000333969 TRACE  trade host program[42] first[100] order task=17 class=1 symbo"
	"l= price=4.25",
