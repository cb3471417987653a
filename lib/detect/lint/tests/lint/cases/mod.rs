mod comparisons;
mod decorators;
mod files;
mod flow;
mod records;
mod state;
