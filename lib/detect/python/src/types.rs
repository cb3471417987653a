//! Built-in types and exception classes.

use crate::registry::NativeClass;

/// A class, as `type(x)` answers it.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Type {
    Object,
    NoneType,
    EllipsisType,
    NotImplementedType,
    Bool,
    Int,
    Float,
    Str,
    Bytes,
    List,
    Tuple,
    Dict,
    DefaultDict,
    OrderedDict,
    Counter,
    Set,
    FrozenSet,
    Range,
    Slice,
    Type,
    Function,
    BuiltinFunction,
    Method,
    BuiltinMethod,
    Module,
    Generator,
    /// `list_iterator`, `zip`, … : the iterator's own name.
    Iterator(&'static str),
    /// `dict_keys`, `dict_values`, `dict_items`.
    View(&'static str),
    Partial,
    Exc(ExcKind),
    /// A user's exception class: index into `Program::classes`.
    User(u32),
    Native(&'static NativeClass),
}

impl PartialEq for Type {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Iterator(a), Self::Iterator(b)) | (Self::View(a), Self::View(b)) => a == b,
            (Self::Exc(a), Self::Exc(b)) => a == b,
            (Self::User(a), Self::User(b)) => a == b,
            (Self::Native(a), Self::Native(b)) => a.name == b.name && a.module == b.module,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

macro_rules! exceptions {
    ($($kind:ident : $parent:ident = $name:literal in $module:literal),* $(,)?) => {
        /// Exception classes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the names say it all")]
        pub enum ExcKind { $($kind),* }

        impl ExcKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// `__name__`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }

            /// `__module__`.
            #[must_use]
            pub const fn module(self) -> &'static str {
                match self { $(Self::$kind => $module),* }
            }

            /// The class it derives from; `BaseException` from itself.
            #[must_use]
            pub const fn parent(self) -> Self {
                match self { $(Self::$kind => Self::$parent),* }
            }
        }
    };
}

exceptions! {
    BaseException: BaseException = "BaseException" in "builtins",
    Exception: BaseException = "Exception" in "builtins",
    GeneratorExit: BaseException = "GeneratorExit" in "builtins",
    KeyboardInterrupt: BaseException = "KeyboardInterrupt" in "builtins",
    SystemExit: BaseException = "SystemExit" in "builtins",
    ArithmeticError: Exception = "ArithmeticError" in "builtins",
    FloatingPointError: ArithmeticError = "FloatingPointError" in "builtins",
    OverflowError: ArithmeticError = "OverflowError" in "builtins",
    ZeroDivisionError: ArithmeticError = "ZeroDivisionError" in "builtins",
    AssertionError: Exception = "AssertionError" in "builtins",
    AttributeError: Exception = "AttributeError" in "builtins",
    BufferError: Exception = "BufferError" in "builtins",
    EOFError: Exception = "EOFError" in "builtins",
    ImportError: Exception = "ImportError" in "builtins",
    ModuleNotFoundError: ImportError = "ModuleNotFoundError" in "builtins",
    LookupError: Exception = "LookupError" in "builtins",
    IndexError: LookupError = "IndexError" in "builtins",
    KeyError: LookupError = "KeyError" in "builtins",
    MemoryError: Exception = "MemoryError" in "builtins",
    NameError: Exception = "NameError" in "builtins",
    UnboundLocalError: NameError = "UnboundLocalError" in "builtins",
    OSError: Exception = "OSError" in "builtins",
    FileNotFoundError: OSError = "FileNotFoundError" in "builtins",
    PermissionError: OSError = "PermissionError" in "builtins",
    ConnectionError: OSError = "ConnectionError" in "builtins",
    TimeoutError: OSError = "TimeoutError" in "builtins",
    ReferenceError: Exception = "ReferenceError" in "builtins",
    RuntimeError: Exception = "RuntimeError" in "builtins",
    NotImplementedError: RuntimeError = "NotImplementedError" in "builtins",
    RecursionError: RuntimeError = "RecursionError" in "builtins",
    StopIteration: Exception = "StopIteration" in "builtins",
    StopAsyncIteration: Exception = "StopAsyncIteration" in "builtins",
    SyntaxError: Exception = "SyntaxError" in "builtins",
    SystemError: Exception = "SystemError" in "builtins",
    TypeError: Exception = "TypeError" in "builtins",
    ValueError: Exception = "ValueError" in "builtins",
    UnicodeError: ValueError = "UnicodeError" in "builtins",
    UnicodeDecodeError: UnicodeError = "UnicodeDecodeError" in "builtins",
    UnicodeEncodeError: UnicodeError = "UnicodeEncodeError" in "builtins",
    Warning: Exception = "Warning" in "builtins",
    JsonDecodeError: ValueError = "JSONDecodeError" in "json.decoder",
    ReError: Exception = "error" in "re",
    BinasciiError: ValueError = "Error" in "binascii",
    AddressValueError: ValueError = "AddressValueError" in "ipaddress",
    NetmaskValueError: ValueError = "NetmaskValueError" in "ipaddress",
}

impl ExcKind {
    /// Whether this class is `other` or derives from it.
    #[must_use]
    pub fn is_subclass(self, other: Self) -> bool {
        let mut class = self;
        loop {
            if class == other {
                return true;
            }
            if class == Self::BaseException {
                return false;
            }
            class = class.parent();
        }
    }
}
