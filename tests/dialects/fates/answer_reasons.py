"""Why a field of an answer does not reach the client: what it has no equivalent in."""

from __future__ import annotations

from tests.dialects.fates.reasons import Reason

_OURS = "ids and names of models are ours"
_COUNTED = "tokens are told apart as cached and thought, and no further"
_ASKED = "nobody can have asked for it: what asks for it is refused"
_HOSTED = "of a tool that Anthropic hosts, which nobody can have asked for"
_CITED = "what cites is asked for with a document of Anthropic's own kind, which chat has not"
_ANTHROPIC = "of Anthropic's own service: chat has no place for it"
_ORDER = "they are told apart by their order"
_ANYWAY = "it says what is said where there is nothing"
_BARE = "a completion is bare text"
_START = "the last word on it comes in message_delta"
_SIGNED = "reasoning items are shown, and not sent to Anthropic again"
_BLOCK = r"(\[content_block_start\]\.content_block|content)"
_TOOLS = r"\[(server_tool_use|\w+_tool_result|container_upload)\]"
_CHOICE = r"choices\[\]\.(message|delta)"
_SERVED = "(cache_creation|inference_geo|server_tool_use|service_tier|speed)"
_HEAD = r"\[message_(start\]\.message|delta\]\.delta)"
_GOOGLES = "of Google's own service, of its tools, or of media that nobody can have asked for"
_ODDS = "ids of tokens, and odds beyond those asked for"
_PARTS = r"candidates\[\]\.content\.parts\[\]"
_SHOWN = (
    r"mediaResolution|mediaProcessing|codeExecutionResult|executableCode|fileData|functionResponse|inlineData"
    r"|toolCall|toolResponse|partMetadata|audioTranscription"
    r"|(video|speech|document|spreadsheet|audio)Metadata"
)
_DETAILS = r"usage\.(prompt|completion)_tokens_details"
_FURTHER = r"(\.(accepted_prediction|audio|rejected_prediction|text|image)_tokens)?$"

REASONS = (
    Reason("*", "chat", "(id|model)$", _OURS),
    Reason("*", "messages", r"(\[message_start\]\.message\.)?(id|model)$", _OURS),
    # Anthropic's
    Reason("*", "messages", rf"{_BLOCK}\[text\]\.citations", _CITED),
    Reason("*", "messages", rf"{_BLOCK}{_TOOLS}", _HOSTED),
    Reason("*", "messages", rf"{_BLOCK}\[tool_use\]\.(caller|toolset_name)", _HOSTED),
    Reason("*", "messages", r"\[content_block_delta\]\.delta\[citations_delta\]", _CITED),
    Reason("*", "messages", rf"({_HEAD}\.)?(container|diagnostics)", _ANTHROPIC),
    Reason("*", "messages", r"(\[message_delta\]\.delta\.)?(stop_details|stop_sequence)",
           "chat says that an answer was stopped or filtered, not by what"),
    Reason("*", "messages", r"\[message_start\]\.message\.(stop_\w+|usage\.output_tokens$)", _START),
    Reason("*", "messages", rf"(.*\.)?usage\.{_SERVED}", _ANTHROPIC),
    Reason("*", "messages", r'stop_reason="(end_turn|stop_sequence|pause_turn)"', _ANYWAY),
    Reason("*", "messages", r"\[content_block_(start|delta|stop)\]\.index$", _ORDER),
    Reason("*", "messages", r"\[(message_\w+|content_block_\w+)\]$", "it only frames what is said"),
    Reason("*", "messages", r"\[content_block_start\]\.content_block\[thinking\]\.signature",
           "a signature comes in a delta of its own"),
    # Google's
    Reason("*", "gemini", rf"{_PARTS}\.({_SHOWN})", _GOOGLES),
    Reason("*", "gemini", rf"{_PARTS}\.functionCall\.(partialArgs|willContinue)", "arguments come whole"),
    Reason("*", "gemini", rf"{_PARTS}(\.thought|\.thoughtSignature)?$", _ANYWAY),
    Reason("*", "gemini", r"candidates\[\]\.content\.role|candidates\[\]\.index", _ANYWAY),
    Reason("completions", "gemini", rf"{_PARTS}\.functionCall", _BARE),
    Reason("*", "gemini", r"candidates\[\]\.finishReason=", "every other end is a stop"),
    Reason("*", "gemini", r"candidates\[\]\.(finishMessage|tokenCount|continuationToken)", _GOOGLES),
    Reason("*", "gemini", r"candidates\[\]\.avgLogprobs", _ODDS),
    Reason("*", "gemini", r"candidates\[\]\.(citation|grounding|urlContext)Metadata", _GOOGLES),
    Reason("*", "gemini", r"candidates\[\]\.safetyRatings|promptFeedback",
           "chat says that an answer was filtered, not how likely it was harmful"),
    Reason("*", "gemini", r"candidates\[\]\.logprobsResult", _ODDS),
    Reason("*", "gemini", "modelStatus|usageMetadata\\.trafficType", _GOOGLES),
    Reason("*", "gemini", r"usageMetadata\.\w+Details", _COUNTED),
    Reason("*", "gemini", r"usageMetadata\.totalTokenCount", "the sum is taken here"),
    # chat's, for completions
    Reason("completions", "chat",
           rf"{_CHOICE}\.(annotations|audio|function_call|tool_calls|refusal|role)", _BARE),
    Reason("completions", "chat", r"choices\[\]\.logprobs\.content\[\]\.(top_logprobs\[\]\.)?bytes", _BARE),
    Reason("completions", "chat", r"choices\[\]\.logprobs\.content\[\]\.top_logprobs", _ANYWAY),
    Reason("completions", "messages", rf"{_BLOCK}\[(thinking|redacted_thinking|tool_use)\]", _BARE),
    Reason("completions", "messages",
           r"\[content_block_delta\]\.delta\[(thinking|signature|input_json)_delta\]", _BARE),
    Reason("completions", "messages", 'stop_reason="tool_use"', _BARE),
    Reason("responses", "messages", 'stop_reason="tool_use"', _ANYWAY),
    Reason("responses", "messages", rf"{_BLOCK}\[(thinking\]\.signature|redacted_thinking\])", _SIGNED),
    Reason("responses", "messages", r"\[content_block_delta\]\.delta\[signature_delta\]\.signature", _SIGNED),
    Reason("completions", "*", "metadata|moderation|service_tier", "completions have no place for it"),
    # chat's, for responses
    Reason("responses|messages", "chat", rf"{_CHOICE}\.(audio|function_call)", _ASKED),
    Reason("responses|messages", "chat", rf"{_CHOICE}\.role", _ANYWAY),
    Reason("responses|messages", "chat", r"choices\[\]\.delta\.tool_calls\[\]\.(index|type)", _ORDER),
    Reason("responses|messages", "chat", "metadata|moderation", _ASKED),
    Reason("responses", "chat", 'service_tier="default"', _ANYWAY),
    Reason("responses", "chat", "system_fingerprint", "a response has no place for it"),
    # chat's, for messages
    Reason("messages", "chat", rf"{_CHOICE}\.annotations",
           "a citation there names an index that only Anthropic makes"),
    Reason("messages", "chat", r"created|service_tier|system_fingerprint|choices\[\]\.logprobs\.content",
           "a message has no place for it"),
    # chat's, for all
    Reason("*", "chat", r"choices\[\]$|choices\[\]\.logprobs$", _ANYWAY),
    Reason("*", "chat", r"choices\[\]\.index", "choices are numbered anew"),
    Reason("*", "chat", r'choices\[\]\.finish_reason="(stop|tool_calls|function_call)"', _ANYWAY),
    Reason("*", "chat", r"choices\[\]\.logprobs\.refusal", "the odds of a refusal have no place"),
    Reason("*", "chat", "obfuscation", "events of ours are not padded"),
    Reason("*", "chat", rf"{_DETAILS}{_FURTHER}", _COUNTED),
    # a provider's own responses
    Reason("responses", "responses", "id$|background|previous_response_id|conversation",
           "what is kept is kept by the gateway, under an id of its own"),
)  # fmt: skip
